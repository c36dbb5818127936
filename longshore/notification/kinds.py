"""What people can be told of; NOTIFY_ON chooses among them."""

from enum import StrEnum

from longshore.ledger.states import State


class Kind(StrEnum):
    """One kind of news."""

    DEAD_LETTERS = "dead_letters"
    UNKNOWN_OUTCOMES = "unknown_outcomes"
    BREAKERS = "breakers"
    SILENCE = "silence"


FAILED_STATES = {Kind.DEAD_LETTERS: State.DEAD, Kind.UNKNOWN_OUTCOMES: State.UNKNOWN}
"""The kinds that are failed invocations, and their state."""


def parse_kinds(text: str) -> frozenset[Kind]:
    """The kinds in a comma list. Raises ValueError for any other word."""
    return frozenset(Kind(word.strip()) for word in text.split(",") if word.strip())
