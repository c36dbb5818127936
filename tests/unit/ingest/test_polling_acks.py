"""The thread that acknowledges: what becomes of Port's answers, also while Redis is away."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from ingest.polling.ack_loop import AT_ONCE, AckLoop
from ingest.polling.client import PollingClient
from longshore.errors import PortUnavailable, StoreUnavailable
from longshore.invocation.kinds import Kind
from longshore.ledger.acknowledgements import AckVerdict, PendingAck, Settlement
from longshore.ledger.entry import Claim
from longshore.ledger.faults import LedgerFault
from longshore.ledger.states import State
from longshore.log import events
from tests.unit.ingest.polling_port import MemoryPort, action_object


class MemoryAcks:
    """The ledger's side: what is due, and what was settled. Each of `faults` is raised, once, in place of an answer."""

    def __init__(self, count: int) -> None:
        self.due = deque(PendingAck(f"r_{n}", Kind.ACTION_RUN, f"r_{n}", 1, True) for n in range(count))
        self.settled: list[tuple[str, AckVerdict]] = []
        self.faults: deque[Exception] = deque()
        self.outcome: str | LedgerFault = State.WAITING.value

    def lease(self, max_runs: int, lease_ms: int) -> list[PendingAck]:
        return [self.due.popleft() for _ in range(min(max_runs, len(self.due)))]

    def settle(self, verdicts: Sequence[tuple[PendingAck, AckVerdict]]) -> Settlement:
        if self.faults:
            raise self.faults.popleft()
        self.settled += [(ack.id, verdict) for ack, verdict in verdicts]
        claims = tuple(Claim(ack.id, 1, 0, "target", 0, 1) for ack, _ in verdicts)
        return Settlement(tuple(self.outcome for _ in verdicts), claims, 3)


class Scene:
    def __init__(self, count: int = 1) -> None:
        self.port = MemoryPort()
        self.port.claims.offer(*(action_object(f"r_{number}") for number in range(count)))
        self.acks = MemoryAcks(count)
        self.published: list[tuple[str, int]] = []
        self.is_replicated = True
        port: Any = self.port
        acks: Any = self.acks
        self.loop = AckLoop(acks, PollingClient(port), self._publish, lambda: self.is_replicated)

    def _publish(self, claims: Sequence[Claim], workers: int) -> None:
        self.published += [(claim.id, workers) for claim in claims]


def test_what_port_acknowledges_is_settled_and_published() -> None:
    """With the size of the fleet, which shares the claims out."""
    scene = Scene()
    scene.loop.step()

    assert [("r_0", AckVerdict.OURS)] == scene.acks.settled
    assert [("r_0", 3)] == scene.published


def test_an_answer_is_kept_while_redis_is_away() -> None:
    """Port gives each answer only once: asked again it would refuse, and a refusal would look like our own doing."""
    scene = Scene()
    scene.port.claims.acknowledge_for_others("r_0")
    scene.acks.faults.extend([StoreUnavailable("away")] * 2)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            scene.loop.step()
    scene.loop.step()

    assert 1 == len(scene.port.calls)
    assert [("r_0", AckVerdict.NOT_OURS)] == scene.acks.settled


def test_no_more_are_asked_at_once_than_a_crash_may_leave_in_doubt() -> None:
    """And the next ones at once, if there are more."""
    scene = Scene(AT_ONCE + 1)

    assert 0 == scene.loop.step()
    assert AT_ONCE == len(scene.port.calls)
    assert scene.loop.step() is None
    assert AT_ONCE + 1 == len(scene.acks.settled)


def test_port_is_not_told_before_replicas_have_it() -> None:
    """What a failover could lose is not ours yet."""
    scene = Scene()
    scene.is_replicated = False
    scene.loop.step()
    assert [] == scene.port.calls

    scene.is_replicated = True
    scene.loop.step()
    assert [("r_0", AckVerdict.OURS)] == scene.acks.settled


def test_a_fault_of_ours_in_a_call_is_no_refusal() -> None:
    """Nobody knows whether Port was asked."""
    scene = Scene()
    scene.port.faults.append(ValueError("a fault"))
    scene.loop.step()

    assert [("r_0", AckVerdict.OURS)] == scene.acks.settled


def test_what_goes_wrong_is_said() -> None:
    """A lost claim, a Port that does not hear, a record that is broken."""
    scene = Scene(3)
    scene.port.claims.acknowledge_for_others("r_0")
    scene.acks.outcome = LedgerFault("settle_acks", "broken")
    with capture_logs() as lines:
        scene.acks.due, rest = deque([scene.acks.due[0]]), list(scene.acks.due)[1:]
        scene.loop.step()
        scene.acks.due.extend(rest[:1])
        scene.port.faults.append(PortUnavailable("no connection"))
        scene.loop.step()
    said = [(line["event"], line.get("id")) for line in lines]

    assert (events.POLLING_CLAIM_LOST.name, "r_0") in said
    assert (events.POLLING_ACKS.started.name, None) in said
    assert (events.POLLING_ACKS.continued.name, "r_1") in said
    assert (events.POLLING_ACK_FAILED.name, "r_0") in said
