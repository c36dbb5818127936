"""The table of log events: complete, used, and the only way to log."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from longshore.log import events
from longshore.log.event_log import Event, EventLog, OutageEvents
from longshore.log.events import REGISTRY

ROOT = Path(__file__).resolve().parents[3]
CODE = ("longshore", "ingest", "tasks", "config")
TABLE = ROOT / "longshore" / "log" / "events.py"
LOGGER = ROOT / "longshore" / "log" / "event_log.py"
CONSTANTS = {name: value for name, value in vars(events).items() if isinstance(value, Event)}
NOT_EVENTS = re.compile(
    r".*\.(?:conf|md|py|json|yaml)|longshore\.(?:target|outcome|kind|id|generation|attempt)"
    r"|delivery\.(?:target|success|order|tls|credentials|idempotency|signature|host_header)"
)
"""Files, attributes of spans, and keys of a mapping, that look like events."""


def test_names_are_a_subject_and_what_happened() -> None:
    """A constant is spelled as its event, so that whoever reads a log finds the code; and no name stands twice."""
    assert {name: value.name.replace(".", "_").upper() for name, value in CONSTANTS.items()} == {
        name: name for name in CONSTANTS
    }
    assert [name for name in REGISTRY if not re.fullmatch(r"[a-z_]+\.[a-z_]+", name)] == []
    assert len(REGISTRY) == len(CONSTANTS) >= 130


@pytest.mark.parametrize("event", REGISTRY.values(), ids=lambda event: event.name)
def test_an_event_says_what_it_means_and_a_bad_one_what_to_do(event: Event) -> None:
    """In sentences: the reference page is made of them."""
    assert event.meaning.endswith(".")
    assert bool(event.remedy) == (event.level in ("warning", "error"))
    assert event.remedy == "" or event.remedy.endswith(".")


def test_every_registered_event_is_logged_somewhere() -> None:
    """What no code logs any more leaves the table."""
    used = {name for _, tree in modules() for name in names_of_events(tree)}

    assert CONSTANTS.keys() - used == set()


def test_what_is_to_be_reported_is_in_the_line() -> None:
    """A remedy that asks for fields which the line lacks asks for what nobody can find out any more."""
    lacking = []
    for path, call, event in logged():
        fields = {keyword.arg for keyword in call.keywords}
        asked = set(re.findall(r"`([a-z_]+)`", event.remedy)) if event.remedy.startswith("Report it, with") else set()
        if None not in fields:  # `**fields` of somebody else
            lacking += [(path.name, event.name, name) for name in asked - fields]

    assert [] == lacking


def test_nothing_is_logged_beside_the_table() -> None:
    """The type of `EventLog.event` takes only an `Event`; so those must come from the table, and loggers be its own."""
    made = {path for path, call in calls() if call.id in ("Event", "OutageEvents")}
    loggers = {path for path, tree in modules() if "structlog.get_logger" in ast.unparse(tree)}

    assert made == {TABLE}
    assert loggers == {LOGGER}


def test_documents_name_only_registered_events() -> None:
    """A page whose reader greps for a name that no program logs any more sends him astray."""
    subjects = "|".join({name.partition(".")[0] for name in REGISTRY})
    chart = (ROOT / "docs" / "reference" / "chart-values.md").read_text(encoding="utf-8")
    pages = [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "bench").glob("*.md")]
    alerts = [path for path in (ROOT / "deploy").rglob("*") if path.suffix in (".yaml", ".json", ".txt")]
    for page in [*pages, *alerts]:
        text = page.read_text(encoding="utf-8")
        named = set(re.findall(rf"`((?:{subjects})\.[a-z_]+)`", text)) | set(re.findall(r"\bevent=([a-z_.]+)", text))
        unknown = {name for name in named - REGISTRY.keys() if not NOT_EVENTS.fullmatch(name)}
        unknown = {name for name in unknown if f"`{name}" not in chart}  # values of the chart, with a dot in them too
        assert unknown == set(), page


@pytest.mark.parametrize("outage", ["KAFKA_OUTAGE", "PORT_OUTAGE", "REDIS_OUTAGE"])
def test_the_events_of_an_outage_belong_to_one_dependency(outage: str) -> None:
    """Whoever waits for the end of an outage looks for the prefix of its start."""
    names: OutageEvents = getattr(events, outage)
    assert {each.name.partition(".")[0] for each in names} == {outage.partition("_")[0].lower()}
    assert [each.level for each in names] == ["warning", "debug", "info"]


def test_a_line_has_the_level_and_name_of_its_event() -> None:
    """And the fields that vary."""
    with capture_logs() as lines:
        EventLog("a").event(events.KAFKA_ERROR_REPORTED, code="X")
        EventLog("a").event(events.INGEST_STOPPED)

    assert lines == [
        {"event": "kafka.error_reported", "log_level": "warning", "code": "X"},
        {"event": events.INGEST_STOPPED.name, "log_level": "info"},
    ]


@cache
def modules() -> list[tuple[Path, ast.Module]]:
    paths = [path for room in CODE for path in (ROOT / room).rglob("*.py")]
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in paths]


def calls() -> Iterator[tuple[Path, ast.Name]]:
    """What is called by its bare name."""
    for path, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                yield path, node.func


def logged() -> Iterator[tuple[Path, ast.Call, Event]]:
    """The calls that log an event of the table by its name."""
    for path, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".event") and node.args:
                event = CONSTANTS.get(ast.unparse(node.args[0]).removeprefix("events."))
                if event is not None:
                    yield path, node, event


def names_of_events(tree: ast.Module) -> Iterator[str]:
    """The constants that a module uses; those of an outage are used together."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "events":
            yield node.attr
            if isinstance(together := getattr(events, node.attr, None), OutageEvents):
                yield from (name for name, value in CONSTANTS.items() if value in together)
