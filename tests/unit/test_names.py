"""Names say what they hold, in the field's words: no participles for things, no word of ours where a term exists."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from longshore.ledger.states import State

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path for room in ("config", "ingest", "tasks", "longshore") for path in (ROOT / room).rglob("*.py"))
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])

PARTICIPLES = re.compile(
    r"asked|found|given|gone|heard|held|kept|known|left|lent|made|meant|named|said|seen|shown|taken|told|wanted"
)
"""Say what was done to a thing, and not what it is, as `record`, `headers` or `limit` do."""

VAGUE_MODULES = re.compile(r"base|common|helpers?|managers?|misc|tools|utils?")

ODD_ENGLISH = re.compile(r"\banew\b|\bhalf (a )?characters?\b|[.;] else,? ", re.IGNORECASE)
"""Where technical English has a term: recreated, again, lone surrogate, otherwise."""


def names_in(path: Path) -> Iterator[tuple[int, str]]:
    """Line and name of everything that `path` gives a name to."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name


def test_a_name_says_what_a_thing_is() -> None:
    odd = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in MODULES
        for line, name in names_in(path)
        if PARTICIPLES.fullmatch(name.strip("_").lower()) and name not in State.__members__
    ]
    assert not odd


def test_no_module_is_a_drawer_for_everything() -> None:
    assert not [path for path in MODULES if VAGUE_MODULES.fullmatch(path.stem)]


def test_texts_are_plain_technical_english() -> None:
    odd = [
        f"{path.relative_to(ROOT)}: {match[0]!r}"
        for path in [*MODULES, *PAGES]
        for match in ODD_ENGLISH.finditer(path.read_text(encoding="utf-8"))
    ]
    assert not odd
