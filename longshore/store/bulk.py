"""What a requeue of all that a filter takes means: not what must be asked for by its reason."""

from collections import Counter
from collections.abc import Iterator

from longshore.store.letters import Letter, Letters
from longshore.store.sift import Filter

BY_REASON_ONLY = "bad_signature"
"""Nobody knows who sent it: anybody who may write to the topic could have it carried out by a requeue of the rest."""


def letters(all: Letters, wanted: Filter) -> Iterator[Letter]:
    """What a requeue of all that `wanted` takes sends, newest first of each state."""
    return (letter for letter in all.find(wanted) if _is_meant(letter.reason, wanted))


def meant(counts: Counter[tuple[str, str]], wanted: Filter) -> Counter[tuple[str, str]]:
    """Of `counts`, (state, reason) → how many `wanted` takes, those that it sends."""
    return Counter({key: count for key, count in counts.items() if _is_meant(key[1], wanted)})


def left_out(counts: Counter[tuple[str, str]], wanted: Filter) -> int:
    """Of the same, how many it leaves."""
    return counts.total() - meant(counts, wanted).total()


def _is_meant(reason: str, wanted: Filter) -> bool:
    return reason != BY_REASON_ONLY or wanted.reason == BY_REASON_ONLY
