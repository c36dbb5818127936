"""The page about states says what the code does."""

import re
from pathlib import Path

from longshore.ledger.states import MOVES, State

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "explanation" / "states.md").read_text()


def test_the_diagram_shows_every_move_and_no_other() -> None:
    """One arrow a move."""
    arrows = re.findall(r"^    (\w+) --> (\w+): ", PAGE, re.MULTILINE)

    assert sorted((before.value, after.value) for before, after in MOVES) == sorted(arrows)


def test_the_table_explains_every_state() -> None:
    """One row a state."""
    assert [state.value for state in State] == re.findall(r"^\| (\w+) \| (?!means)", PAGE, re.MULTILINE)
