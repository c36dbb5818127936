"""Access to a ledger on a real Redis, and short ways to have invocations ended in it."""

from typing import Any

import pytest

from longshore.ledger.entry import AttemptEnd
from longshore.ledger.ledger import Ledger
from longshore.ledger.seal import Sealer
from longshore.ledger.states import State
from longshore.operations.ledger_access import LedgerAccess
from tests.integration.ledger.conftest import client, entry, ledger, make_ledger, store, store_redis
from tests.support.one_claim import begin_one, finish_one

__all__ = ["client", "ledger", "make_ledger", "store_redis"]

SEALER = Sealer("secret")
ATTEMPT = (
    b'{"attempt": 1, "generation": 1, "at": 2, "reason": "http_404", "cause": "no hook", "status": 404, "sent": true,'
    b' "duration_ms": 1.5, "response": "?"}'
)


@pytest.fixture
def access(ledger: Ledger) -> LedgerAccess:
    return LedgerAccess.build(ledger, SEALER)


def put(access: LedgerAccess, *ids: str, **fields: Any) -> None:
    """Stores invocations with these ids."""
    store(access.ledger, *(entry(id, payload=SEALER.seal(b"{}"), **fields) for id in ids))


def end(access: LedgerAccess, result: State = State.DEAD, reason: str = "http_404") -> None:
    """Attempts all that wait, once, with this result."""
    claims, _ = access.ledger.pump()[:2]
    for claim in claims:
        begin_one(access.ledger, claim.id, claim.token)
        finish_one(access.ledger, claim.id, claim.token, AttemptEnd(result, reason, 404, attempt=SEALER.seal(ATTEMPT)))
