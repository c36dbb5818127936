"""Finding invocations by what people call them, and counting those that a filter takes."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from longshore.invocation import ids
from longshore.ledger.invocations import InvocationRecord
from longshore.ledger.scan import Filter
from longshore.operations.ledger_access import LedgerAccess

Counts = Counter[tuple[str, str]]
"""(state, reason) → how many invocations."""


def find(access: LedgerAccess, name: str, *, search_all: bool = True) -> Iterator[InvocationRecord]:
    """The invocations that go by `name`: itself first, then what else ended under its run id, the newest first.

    `name` is Port's run id, an id of the ledger, or a Celery task's id of either. What was refused under a run's name
    has an id of its own, so it is searched for. Where the invocation itself is there and `search_all` is False, only
    the newest of each state are looked through, so that a page can afford it beside 100,000 dead letters.
    """
    itself = _itself(access, name)
    if itself is not None:
        yield itself
    run = itself.run if itself is not None and itself.run else name
    newest_only = itself is not None and not search_all
    for letter in access.invocations.find(Filter(run=run), newest_only=newest_only):
        if itself is None or letter.id != itself.id:
            yield letter


def count(access: LedgerAccess, filter: Filter, at_most: int | None = None) -> Counts:
    """How many invocations `filter` takes, by state and reason.

    With a text in the filter each has to be opened; that ends behind `at_most`, so a greater total says "more".
    """
    if not filter.text or at_most is None:
        return access.invocations.count(filter)
    letters = islice(access.invocations.find(filter), at_most + 1)
    return Counter((letter.state, letter.reason) for letter in letters)


def _itself(access: LedgerAccess, name: str) -> InvocationRecord | None:
    # Celery's task id is the ledger's id; from the second generation on, `~` and the generation follow it.
    for id in dict.fromkeys((name, ids.run_id(name), name.partition("~")[0])):
        if (letter := access.invocations.get(id)) is not None:
            return letter
    return None
