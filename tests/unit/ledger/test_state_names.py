"""Only the table of states spells their names: whoever means one names it by the table."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.ledger import scripts
from longshore.ledger.states import JobState, State

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("longshore", "ingest", "tasks", "config", "bench")
TABLE = "longshore/ledger/states.py"
WORDS = {*State, *JobState}

OTHER_MEANINGS = {
    "longshore/dashboard/overview.py": {"dead", "unknown", "waiting"},  # names in the API's JSON
    "longshore/dashboard/charts.py": {"dead", "unknown"},  # names of curves
    "longshore/invocation/success_section.py": {"dead"},  # what a mapping wants of an answer that is no success
    "longshore/delivery/success.py": {"dead"},
    "longshore/cli/doctor/command.py": {"done"},  # what a progress line says at its end
    "longshore/cli/doctor/kafka.py": {"unknown"},  # a setting of the broker that it does not tell
    "longshore/cli/doctor/store.py": {"unknown"},  # the same of Redis
    "longshore/cli/drain_output.py": {"stopped", "waiting"},  # names in the command's JSON
    "longshore/ledger/drill_lease.py": {"paused"},  # what an operator said of a target
    "longshore/operations/drill.py": {"paused"},  # why something waits
    "longshore/cli/exit_codes.py": {"done"},  # what an exit code means
    "longshore/cli/status.py": {"dead"},  # a sample target
    "longshore/cli/targets.py": {"waiting", "paused"},  # a column's head; what an operator said of a target
    "longshore/cli/version.py": {"unknown"},
    "longshore/delivery/outcome.py": {"unknown"},  # a verdict on an attempt
    "longshore/invocation/delivery_section.py": {"unknown"},  # the policy for unknown outcomes in a mapping
    "longshore/port/__init__.py": {"unknown"},  # a name that the package exports
    "longshore/port/report_wording.py": {"paused"},  # why a run waits
    "longshore/sandbox/fake_port.py": {"unknown"},  # a request of none of the kinds
    "longshore/sandbox/operator_script.py": {"paused"},  # a sample target
    "longshore/sandbox/sandbox.py": {"dead", "unknown", "waiting"},  # what a line for people says
    "longshore/sandbox/scenario.py": {"dead", "paused"},  # sample targets
    "longshore/sandbox/fake_targets.py": {"dead", "paused"},
    "longshore/ledger/redis_requirements.py": {"unknown"},  # part of a message of Redis's
    "longshore/ledger/stats.py": {"waiting"},  # a name in the command's JSON
    "longshore/ledger/record.py": {"dead", "unknown"},  # values of an entry
    "longshore/ledger/requeue.py": {"canary"},  # a field of the job
    "longshore/dashboard/request_params.py": {"canary"},  # a field of a form
    "tasks/worker/attempt_log.py": {"done"},  # what a log line says of the next step
    "longshore/ledger/target_control.py": {"paused"},  # what an operator said of a target
    "longshore/ledger/unfinished.py": {"paused"},  # why something waits
    "longshore/operations/leftovers.py": {"paused"},
    "longshore/ledger/wait_causes.py": {"paused"},  # why something waits
    "longshore/telemetry/fleet.py": {"paused"},  # why something waits
}
"""Module → words in it that happen to be a state's name, and mean something else."""


def literals(path: Path) -> set[str]:
    """The texts in a module that are the name of a state; parts of longer texts are words, and so are docstrings."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    parts = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    return {
        str(node.value)
        for node in nodes
        if isinstance(node, ast.Constant) and node.value in WORDS and id(node) not in parts
    }


def modules() -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path


def test_no_module_but_the_table_spells_a_state() -> None:
    """`State.DEAD`, not "dead": a state that is renamed or new is then found by the type checker."""
    found = {name: words for name, path in modules() if name != TABLE and (words := literals(path))}

    assert {name: words - OTHER_MEANINGS.get(name, set()) for name, words in found.items()} == {
        name: set() for name in found
    }
    assert OTHER_MEANINGS.keys() <= found.keys(), "there is nothing to except any more"
    assert all(words <= found[name] for name, words in OTHER_MEANINGS.items()), "there is nothing to except any more"


COMPARED = re.compile(r"\b(?:state|result|to|from|now_is|new)(?: ==| ~=) '([a-z_]+)'")
MOVED = re.compile(r"\b(?:move|set_state|conclude)\(id, (?:'([a-z_]+)'|\w+), (?:'([a-z_]+)'|\w+)")


@pytest.mark.parametrize("name", scripts.FILES)
def test_scripts_spell_only_states_of_the_table(name: str) -> None:
    """Redis would refuse the move, but a comparison with a state that does not exist would just never be true."""
    body = scripts.text(name)
    said = set(COMPARED.findall(body)) | {word for pair in MOVED.findall(body) for word in pair if word}

    assert said <= WORDS


def test_pages_spell_only_states_of_the_table() -> None:
    """Flower's templates compare a state with a text."""
    said: set[str] = set()
    for path in sorted((ROOT / "longshore/dashboard/templates").glob("*.html")):
        page = path.read_text("utf-8")
        said |= set(re.findall(r"state'?\]? == '(\w+)'", page))
        for words in re.findall(r"state'?\]? in \(([^)]+)\)", page):
            said |= set(re.findall(r"'(\w+)'", words))

    assert said
    assert said <= WORDS
