"""`longshore audit` as people and scripts run it."""

import json

from longshore.operations.ledger_access import open_ledger
from tests.support.warm import longshore

from .conftest import Bench


def test_an_audit_tells_that_all_is_there_and_then_that_something_is_missing(bench: Bench) -> None:
    """Exit code 0 and 1; tables for people, JSON for scripts."""
    bench.worker()
    bench.accept("r_1", "good")
    bench.accept("r_2", "not_found")
    bench.ends("r_1", "done", "delivered")
    bench.ends("r_2", "dead", "http_404")

    good = longshore("audit", folder=bench.folder, **bench.environ)
    assert (0, True) == (good.returncode, "2 accepted = 1 done, 1 dead" in good.stderr)

    ledger = open_ledger(bench.settings).ledger
    ledger.redis.delete(ledger.keys.invocation("r_2"))
    bad = longshore("audit", "--json", folder=bench.folder, **bench.environ)
    found = json.loads(bad.stdout)
    assert 1 == bad.returncode
    assert (2, 1, 1) == (found["accepted"], found["states"]["done"], found["unaccounted"])
    assert [{"what": "r_2", "problem": "stands in dead but has no record"}] == found["problems"]
