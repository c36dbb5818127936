"""The documentation holds together: it builds, its links lead somewhere, and what it names is there.

That settings, commands, metrics, chart values, states, mapping keys and addresses of the API are all in their reference
is tested beside their code: test_reference.py, test_pages_about_metrics.py, test_chart_valid.py, test_states_page.py,
test_mapping_docs.py and test_documentation.py.
"""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from config.secret_files import FILE_NAMES
from config.settings import Settings
from longshore.delivery.outcome import Verdict, classify_status
from longshore.ledger.reasons import CAUSES
from tasks.worker.shutdown import DRAINED

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
BESIDE = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "bench/README.md")]
"""Pages that are read in the repository and not on the site, so mkdocs does not look at them."""
README_LINES = 150
ARCHITECTURE = ROOT / "docs" / "explanation" / "architecture.md"
WORDS = {5: "five"}
"""Numbers that a page spells out."""

OURS = ("longshore", "ingest", "tasks", "config")
REASON_AT = {
    "Outcome": 2,
    "Unsendable": 0,
    "_build_dead_letter": 2,
    "build_abandoned": 2,
    "build_interrupted": 1,
    "_object": 2,
}
"""What is called with a reason code, and as which of its arguments."""
FOLLOWS = {
    "again": Verdict.RETRY,
    "dead letter": Verdict.GIVE_UP,
    "unknown": Verdict.UNKNOWN,
    "done": Verdict.DELIVERED,
}
OF_OTHERS = re.compile(
    r"OTEL_\w+|FLOWER_\w+|SASL_SSL|TRIGGER_PAYLOAD|PORT_API|CI_LOGIN|RUN_ID|HTTPS?_PROXY|ALL_PROXY|NO_PROXY"
    r"|(?:JENKINS|ADO|ARGO|TFC|GITHUB|AWX)_(?:URL|USER|TOKEN)|PORT_RUN_ID|DRY_RUN"
)
"""Names that are no settings of ours: of OpenTelemetry, Flower, GitLab, recipes, examples and placeholders."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built pages. Strict: a wrong link or anchor, or a page that is not in the navigation, fails."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert 0 == done.returncode, done.stderr
    assert "WARNING" not in done.stderr
    return folder


def test_every_page_is_built(site: Path) -> None:
    """As a folder of its own, and every block of code as one: behind a language only `title="..."` may stand."""
    for page in DOCS:
        name = page.relative_to(ROOT / "docs").with_suffix("")
        built = site / (name.parent if name.name == "index" else name) / "index.html"
        assert built.is_file(), name
        assert "```" not in built.read_text(), name


def test_reading_it_fetches_nothing_from_elsewhere(site: Path) -> None:
    """Private networks reach no font, no script and no drawer of diagrams."""
    for page in site.rglob("*.html"):
        text = page.read_text()
        assert not re.findall(r'<(?:script|img|iframe)[^>]+src="(?:https?:)?//', text), page
        assert not re.findall(r'<link[^>]+rel="stylesheet"[^>]+href="(?:https?:)?//', text), page
        assert 'class="mermaid"' not in text, f"{page}: its diagram would be drawn by a script from elsewhere"


@pytest.mark.parametrize("page", BESIDE, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_pages_beside_the_site_lead_somewhere(page: Path) -> None:
    """To files that are there, and to headings that are in them."""
    assert [] == [link for link in links_of(page) if not leads_somewhere(page, link)]


def test_a_link_that_leads_nowhere_would_be_found(tmp_path: Path) -> None:
    """The check above can fail."""
    page = tmp_path / "page.md"
    page.write_text(
        "# One two: `three`\n[a](page.md#one-two-three) [b](page.md#four) [c](other.md) [d](https://x.example)\n"
    )

    assert ["page.md#four", "other.md"] == [link for link in links_of(page) if not leads_somewhere(page, link)]


def links_of(page: Path) -> list[str]:
    """Targets of a page's links and pictures, outside of fenced blocks."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"\]\(([^)\s]+)\)", text)


def leads_somewhere(page: Path, link: str) -> bool:
    """Whether a relative link has a file and a heading; links to elsewhere are not followed."""
    if re.match(r"[a-z]+:", link):
        return True
    name, _, anchor = link.partition("#")
    target = (page.parent / name) if name else page
    return target.exists() and (not anchor or anchor in anchors_of(target))


def anchors_of(page: Path) -> set[str]:
    """What headings are called in links."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_the_readme_is_short() -> None:
    """What is longer belongs into docs/."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= README_LINES


def test_every_make_command_that_is_named_is_there() -> None:
    """In a page, or in a file that says how it was made."""
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    made = sorted((ROOT / "requirements").glob("*.txt"))

    missing = {
        (str(path.relative_to(ROOT)), name)
        for path in (*DOCS, *BESIDE, *made)
        for name in re.findall(r"[`']make ([a-z][a-z-]*)", path.read_text())
        if name not in targets
    }
    assert not missing


@cache
def tracked() -> dict[str, str]:
    """Text of every file of the repository that is a text, by path."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git clone")
    found = {}
    for name in listed.stdout.splitlines():
        try:
            found[name] = (ROOT / name).read_text()
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue  # a picture, something that is being moved, or a link to a folder
    return found


def test_pages_that_code_and_settings_send_their_readers_to_are_there() -> None:
    """An error message or a comment that names a page."""
    named = {(file, each) for file, text in tracked().items() for each in re.findall(r"\bdocs/[\w/-]+\.md\b", text)}

    assert named
    assert [] == sorted(each for each in named if not (ROOT / each[1]).is_file())


def test_files_that_pages_name_are_there() -> None:
    """Tests that show a promise, examples, dashboards."""
    tests = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    for page in (*DOCS, *BESIDE):
        text = page.read_text()
        paths = re.findall(
            r"`((?:tests|deploy|bench|scripts|requirements|longshore|ingest|tasks|config)/[\w./-]*[a-z/])`", text
        )
        assert [] == [path for path in paths if not (ROOT / path).exists()], page
        assert set() == set(re.findall(r"`(test_\w+\.py)`", text)) - tests, page


def tree_of(page: Path) -> str:
    """The page's tree of folders: its fenced block that begins with `config/`."""
    (tree,) = re.findall(r"^```text\n(config/ .*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return str(tree)


def folders_in(tree: str) -> list[str]:
    """The paths of a tree's lines; two spaces of indent per level."""
    path: list[str] = []
    paths = []
    for line in tree.splitlines():
        indent, name, duty = re.fullmatch(r"( *)([\w/]+)/ +(\S.*)", line).groups()  # type: ignore[union-attr]
        assert duty
        path = [*path[: len(indent) // 2], name]
        paths.append("/".join(path))
    return paths


def packages() -> set[str]:
    """Our packages and those in them, as they lie in the repository."""
    return {
        file.parent.relative_to(ROOT).as_posix() for package in OURS for file in (ROOT / package).rglob("__init__.py")
    }


@pytest.mark.parametrize("page", [ROOT / "README.md", ARCHITECTURE], ids=lambda page: page.name)
def test_the_tree_of_folders_is_the_one_there_is(page: Path) -> None:
    """No package is missing and none is extra; both pages show the same tree."""
    folders = folders_in(tree_of(page))

    assert sorted(packages() | {"bench", "deploy", "docs", "scripts", "tests"}) == sorted(folders)
    assert tree_of(ARCHITECTURE) == tree_of(page)


def test_the_contract_on_the_page_is_the_one_that_is_checked() -> None:
    """The order of imports that the architecture page shows, package by package."""
    (layers,) = [
        contract["layers"]
        for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    ]
    sentence = " ".join(re.findall(r"^> (.*(?:→.*))$", ARCHITECTURE.read_text(), re.MULTILINE))
    documented = [re.findall(r"`(\w+)`", layer) for layer in sentence.split("→")]

    assert [[name.split(".")[-1] for name in layer.split(" | ")] for layer in layers] == documented


@pytest.mark.parametrize("heading", ["One invocation", "One requeue"])
def test_walks_through_the_code_name_files_and_count_them(heading: str) -> None:
    """Each file is there, named once; the faces from which a requeue may start count as one."""
    (section,) = re.findall(
        rf"^## {heading}, file by file\n(.*?)(?=^## |\Z)", ARCHITECTURE.read_text(), re.MULTILINE | re.DOTALL
    )
    rows = re.findall(r"^\| (.*?) \| `([^`]+)` \|$", section, re.MULTILINE)

    assert [] == [path for _, path in rows if not (ROOT / path).is_file()]
    assert len({path for _, path in rows}) == len(rows)
    count = len([path for step, path in rows if not step.startswith("…")])
    assert re.search(rf"\b({count}|{WORDS.get(count, count)}) files\b", section), count


def test_settings_that_pages_name_are_there() -> None:
    """Somewhere in the code, in compose.yaml or in the Makefile."""
    code = "\n".join(text for name, text in tracked().items() if not name.endswith(".md") and name[:6] != "tests/")
    known = set(re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", code))
    known |= FILE_NAMES | {name.upper() for name in Settings.model_fields}
    known_to_tests = set(re.findall(r"\bLONGSHORE_(?:REQUIRE_\w+|SCREENSHOTS)\b", "\n".join(tracked().values())))
    for page in (*DOCS, *BESIDE):
        named = set(re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", page.read_text()))
        unknown = {name for name in named - known if not OF_OTHERS.fullmatch(name)}
        assert unknown <= known_to_tests, page


def reasons() -> Iterator[str]:
    """Every reason code that stands in the code."""
    yield from (*CAUSES, DRAINED)
    for room in OURS:
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                    if name in REASON_AT and len(node.args) > REASON_AT[name]:
                        yield from texts_of(node.args[REASON_AT[name]])
                elif (
                    isinstance(node, ast.Return)
                    and isinstance(node.value, ast.Tuple)
                    and path.name == "failure_reasons.py"
                ):
                    yield from texts_of(node.value.elts[0])


def texts_of(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def test_every_reason_code_is_in_the_reference_and_no_other() -> None:
    """What a dead letter says can be looked up."""
    page = (ROOT / "docs" / "reference" / "reason-codes.md").read_text()
    rows = re.findall(r"^\| ([^|]*`[^|]*) \|", page, re.MULTILINE)
    listed = {code for row in rows for code in re.findall(r"`(\w+)`", row) if not code.startswith("http_")}
    known = set(reasons())

    assert {"dns", "bad_signature", "mapping", "drained", "revoked", "deadline"} <= known
    assert known - {"delivered", ""} == listed - {"delivered"}


def test_what_the_reference_says_of_http_statuses_is_what_happens() -> None:
    """Row by row."""
    page = (ROOT / "docs" / "reference" / "reason-codes.md").read_text()
    told = [
        (int(status), follows)
        for row, follows in re.findall(r"^\| ([^|]*`http_[^|]*) \|[^|]*\| ([^|]*) \|$", page, re.MULTILINE)
        for status in re.findall(r"`http_(\d{3})`", row)
    ]

    assert {408, 503, 501, 502} <= {status for status, _ in told}
    for status, follows in told:
        assert classify_status(status)[0] is FOLLOWS[follows], status
