"""What an operator revokes in Flower becomes a dead letter.

Celery throws away every later message of a revoked id, so the ledger would hand the invocation out for ever.
"""

from typing import Any

from longshore.errors import LongshoreError
from longshore.ledger.faults import only
from longshore.ledger.ledger import Ledger
from longshore.ledger.states import State
from longshore.log import events
from longshore.log.event_log import EventLog
from tasks.worker.result_builder import ResultBuilder

log = EventLog(__name__)

REVOKED = "revoked"
"""Reason code."""


def park_revoked(ledger: Ledger, results: ResultBuilder, args: Any) -> None:
    """Makes the claim in `args` (of the discarded message) a dead letter. If Redis is away, its lease lapses first."""
    try:
        id, token = str(args[0]), int(args[1])
        attempt = only(ledger.load([(id, token)]))
        if attempt and only(ledger.begin([(id, token)])) is not None:
            end = results.build_abandoned(attempt, State.DEAD, REVOKED, "revoked by an operator")
            only(ledger.finish([(attempt, end)], max_claims=0).states)
            log.event(events.DELIVERY_REVOKED, run_id=id)
    except (LongshoreError, LookupError, TypeError, ValueError) as error:
        log.event(events.DELIVERY_REVOKE_FAILED, error=type(error).__name__)
