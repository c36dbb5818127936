"""The thread that acknowledges claims to Port, one call a run, and moves the runs on by what Port says.

The ledger says what is to be acknowledged, whoever stored it: so what a process leaves behind is finished by any other.
Between its three steps a crash costs nothing but time:

- after the lease: Port was perhaps asked, perhaps not. Somebody else asks again when the lease lapses.
- after Port's answer: the same. If Port had taken it, it refuses the second one, which is no refusal of ours then.
- after the ledger has it, before its claims are published: they lapse, and a pump dispatches them again.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

from ingest.background import in_background
from ingest.outage import Outage
from ingest.polling.client import PollingClient
from longshore.ledger.acknowledgements import Acknowledgements, AckVerdict, PendingAck
from longshore.ledger.entry import Claim
from longshore.ledger.faults import LedgerFault
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.periodic import Periodic
from longshore.telemetry import metrics

log = EventLog(__name__)

INTERVAL_S = 0.25
"""Between two looks for claims that are due."""

AT_ONCE = 8
"""Calls to Port at once, and so the most that a crash leaves in doubt."""

STOP_S = 0.5
"""Of the second in which ingest ends."""

LEASE_MS = 45_000
"""Longer than a call to Port takes, one more for a new token included."""


class AckLoop:
    """Acknowledges for one process, beside others."""

    def __init__(
        self,
        acknowledgements: Acknowledgements,
        client: PollingClient,
        publish: Callable[[Sequence[Claim], int], None],
        is_replicated: Callable[[], bool],
    ) -> None:
        """`publish` gets claims and the size of the fleet. `is_replicated`: see `REDIS_WAIT_REPLICAS`."""
        self._acknowledgements = acknowledgements
        self._client = client
        self._publish = publish
        self._is_replicated = is_replicated
        self._verdicts: list[tuple[PendingAck, AckVerdict]] = []
        """Port's answers that the ledger does not have yet: kept while Redis is away, as Port gives each only once."""
        self._loop = Periodic("acknowledge", INTERVAL_S, self.step)
        self._outage = Outage(events.POLLING_ACKS, self._loop.stopping)
        self.start = self._loop.start

    def stop(self) -> None:
        """Begin no more. Calls under way get `STOP_S`; those that take longer are in doubt until their leases lapse."""
        self._loop.stop(STOP_S)

    def step(self) -> float | None:
        """Acknowledge what is due, up to `AT_ONCE`. Returns the pause before the next step, None for the usual one."""
        if not self._verdicts:
            if not self._is_replicated():
                return None
            leased = self._acknowledgements.lease(AT_ONCE, LEASE_MS)
            calls = [(ack, in_background("ack", partial(self._client.acknowledge, ack))) for ack in leased]
            self._verdicts = [(ack, _verdict_of(call)) for ack, call in calls]
        if not self._verdicts:
            return None
        settlement = self._acknowledgements.settle(self._verdicts)
        verdicts, self._verdicts = self._verdicts, []
        self._publish(settlement.claims, settlement.workers)
        for (ack, verdict), outcome in zip(verdicts, settlement.outcomes, strict=True):
            self._tell(ack, verdict, outcome)
        return 0 if len(verdicts) == AT_ONCE else None

    def _tell(self, ack: PendingAck, verdict: AckVerdict, outcome: str | LedgerFault) -> None:
        metrics.ACKNOWLEDGED.labels(verdict.value).inc()
        if verdict is AckVerdict.NOT_HEARD:
            self._outage.begin("Port has not heard it")
            log.event(events.POLLING_ACKS.continued, id=ack.id)
        else:
            self._outage.end()
        if verdict is AckVerdict.NOT_OURS:
            log.event(events.POLLING_CLAIM_LOST, id=ack.id)
        if isinstance(outcome, LedgerFault):
            log.event(events.POLLING_ACK_FAILED, id=ack.id, error=outcome.problem)


def _verdict_of(call: "Future[AckVerdict]") -> AckVerdict:
    try:
        return call.result()
    except Exception:  # a fault of ours, after which nobody knows whether Port was asked
        return AckVerdict.OURS
