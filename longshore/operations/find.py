"""Finding invocations by name, and counting those that match a filter."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from longshore.invocation import ids
from longshore.ledger.invocations import InvocationRecord
from longshore.ledger.scan import Filter
from longshore.operations.ledger_access import LedgerAccess

Counts = Counter[tuple[str, str]]
"""(state, reason) → how many invocations."""


def find_invocations(access: LedgerAccess, name: str, *, search_all: bool = True) -> Iterator[InvocationRecord]:
    """The invocations named `name`: the exact match first, then others that ended under its run id, newest first.

    `name` is Port's run id, an id of the ledger, or a Celery task's id of either. A message refused under a run id
    has an id of its own, so it is searched for. With an exact match and `search_all` False, only the newest of each
    state are searched, so that a page can afford it beside 100,000 dead letters.
    """
    match = _get_by_name(access, name)
    if match is not None:
        yield match
    run = match.run if match is not None and match.run else name
    newest_only = match is not None and not search_all
    for record in access.invocations.find(Filter(run=run), newest_only=newest_only):
        if match is None or record.id != match.id:
            yield record


def count_invocations(access: LedgerAccess, filter: Filter, max_count: int | None = None) -> Counts:
    """How many invocations match `filter`, by state and reason.

    With a text in the filter each has to be decrypted; counting stops after `max_count`, so a greater total means
    "more".
    """
    if not filter.text or max_count is None:
        return access.invocations.count(filter)
    records = islice(access.invocations.find(filter), max_count + 1)
    return Counter((record.state, record.reason) for record in records)


def _get_by_name(access: LedgerAccess, name: str) -> InvocationRecord | None:
    # Celery's task id is the ledger's id; from the second generation on, `~` and the generation follow it.
    for id in dict.fromkeys((name, ids.run_id(name), name.partition("~")[0])):
        if (record := access.invocations.get(id)) is not None:
            return record
    return None
