"""An invocation goes by several names, and others may go by its own."""

from longshore.invocation import ids
from longshore.operations.find import find_invocations
from longshore.operations.ledger_access import LedgerAccess
from tests.integration.ledger.conftest import entry, store

from .conftest import end, put

STRANGE = "a run of\nours"
FORGED = "bad.org_1.runs.0.9.1"


def test_it_is_found_by_its_run_id_by_ours_and_by_celerys(access: LedgerAccess) -> None:
    """Whatever somebody has copied: from Port, from a log line, from Flower's list of tasks."""
    put(access, "r_1")
    store(access.ledger, entry(ids.run_id(STRANGE), run=STRANGE))

    for name, id in (("r_1", "r_1"), ("r_1~3", "r_1"), (STRANGE, ids.run_id(STRANGE))):
        assert [id] == [letter.id for letter in find_invocations(access, name)]
    assert [] == list(find_invocations(access, "r_2"))


def test_what_was_refused_under_its_run_id_comes_behind_it(access: LedgerAccess) -> None:
    """It has an id of its own, as nobody knows whether it is that run; whether the run itself is there or not."""
    store(access.ledger, entry(FORGED, run="r_1", dead="bad_signature"))
    assert [FORGED] == [letter.id for letter in find_invocations(access, "r_1")]
    put(access, "r_1")
    end(access)

    for search_all in (True, False):
        assert ["r_1", FORGED] == [letter.id for letter in find_invocations(access, "r_1", search_all=search_all)]
    assert [FORGED, "r_1"] == [letter.id for letter in find_invocations(access, FORGED)]
