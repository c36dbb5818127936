"""Polling that dies at every point: nothing acknowledged is lost, and nothing is sent that Port cannot have given us.

The steps of ingest on a real ledger, with Port in memory: claim, store, lease, acknowledge, settle. A test kills the
process before or after any of them, loses Port's answers, lets claims and leases lapse, and gives runs to other agents.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.batch_preparer import BatchPreparer
from ingest.entry_builder import EntryBuilder
from ingest.polling.ack_loop import AckLoop
from ingest.polling.client import APIS, PollingClient
from ingest.polling.record import make_record
from longshore.delivery.policy import DEFAULTS
from longshore.errors import PortRefused, PortUnavailable
from longshore.invocation.mapping import Mapping
from longshore.invocation.polling_message import SHAPES
from longshore.ledger.acknowledgements import Acknowledgements
from longshore.ledger.audit import audit
from longshore.ledger.connection import connect
from longshore.ledger.entry import AttemptEnd, Claim, StartedAttempt
from longshore.ledger.keys import Keys
from longshore.ledger.ledger import Ledger
from longshore.ledger.limits import Limits
from longshore.ledger.seal import Sealer
from longshore.ledger.states import State
from longshore.runtime.embedded_redis import EmbeddedRedis
from tests.unit.ingest.polling_port import MemoryPort, action_object, node_object

SECRET = "secret-0123456789"
RUNS = ("r_0", "r_1", "wfnr_0", "wfnr_1")
SILENT = PortUnavailable("read timeout", may_be_taken=True)
ABSENT = PortUnavailable("no connection")


class Killed(BaseException):
    """The process is no more."""


class World:
    """Port, Redis, a fleet that delivers at once, and one process of ingest after another."""

    def __init__(self, ledger: Ledger, mapping: Mapping) -> None:
        self.ledger = ledger
        self.port = MemoryPort()
        self.port.claims.offer(
            *(node_object(id) if id.startswith("wfnr") else action_object(id) for id in RUNS),
        )
        self.asked: Counter[str] = Counter()
        """Acknowledgements that Port has, or may have, heard of us."""
        self.others: list[str] = []
        self.sent: Counter[str] = Counter()
        self.kill_in = -1
        self._mapping = mapping
        ledger.heartbeat("worker-1", 100)

    def step(self) -> None:
        """Something happens; here the process may die."""
        self.kill_in -= 1
        if self.kill_in == -1:
            raise Killed

    def run_process(self, kill_in: int = -1) -> None:
        """A process of ingest does all it can, and dies before its step number `kill_in`, from 0."""
        self.kill_in = kill_in
        port: Any = self.port
        self.port.on_call = self._on_call
        client = PollingClient(port)
        builder = EntryBuilder(self._mapping, Sealer(SECRET), DEFAULTS, fail_unmatched_nodes=False)
        streams = {stream.value: stream for stream in SHAPES}
        preparer = BatchPreparer(streams, [SECRET], self._mapping, builder, 1 << 20)
        acks = AckLoop(_Guarded(self), client, self.deliver, lambda: True)
        try:
            for api in APIS:
                try:
                    runs = client.claim(api, 100)
                except (PortUnavailable, PortRefused):
                    continue
                self.step()
                records = [record for run in runs if (record := make_record(api.stream, run, 1))]
                self.ledger.accept((), preparer.prepare(records).entries)
                self.step()
            while acks.step() is not None or self._is_due():
                pass
        except Killed:
            pass
        finally:
            self.kill_in = -1

    def deliver(self, claims: Any, workers: int) -> None:
        """The fleet begins and ends these at once. What it is not told of lapses, and a pump finds it."""
        self.step()
        for claim in claims:
            self.send(claim)

    def send(self, claim: Claim) -> None:
        """The webhook."""
        assert self.asked[claim.id], f"{claim.id} was sent and Port never asked"
        (attempt,) = self.ledger.load([(claim.id, claim.token)])
        assert isinstance(attempt, StartedAttempt)
        assert isinstance(self.ledger.begin([(claim.id, claim.token)])[0], int)
        self.sent[claim.id] += 1
        self.ledger.finish([(attempt, AttemptEnd(State.DONE, "delivered"))])

    def lapse(self) -> None:
        """Time passes: leases and claims are over."""
        keys = self.ledger.keys
        for key in (keys.acks, keys.leases):
            for id, _ in self.ledger.redis.zscan_iter(key):
                self.ledger.redis.zadd(key, {id: -1})
        self.port.claims.lapse()
        for claim in self.ledger.pump().claims:
            self.send(claim)

    def give_to_others(self, id: str) -> None:
        """Another agent acknowledges a run, if nobody has."""
        if id in self.port.claims.waiting():
            self.port.claims.acknowledge_for_others(id)
            self.others.append(id)

    def check(self) -> None:
        """Every run was sent once by whoever has it; twice over only where Port's answer was lost to us."""
        for id in RUNS:
            taken = id in self.port.claims.acknowledged
            assert taken or id in self.others, f"{id} is still with Port"
            if taken:
                assert self.sent[id] == 1, f"{id} is ours and was sent {self.sent[id]} times"
            else:
                assert self.sent[id] <= (1 if self.asked[id] else 0)
        assert 0 == self.ledger.redis.zcard(self.ledger.keys.acks)
        balance = audit(self.ledger)
        assert balance.is_balanced, balance

    def _is_due(self) -> bool:
        lease_now: Any = self.ledger.redis.hget(self.ledger.keys.clock, "lease")
        return bool(self.ledger.redis.zcount(self.ledger.keys.acks, "-inf", int(lease_now or 0)))

    def _on_call(self, name: str, body: Any) -> None:
        self.step()
        if name.startswith("ack") and not (self.port.faults and self.port.faults[0] is ABSENT):
            self.asked.update(body.get("runIds") or [body["nodeRunIdentifier"]])


class _Guarded(Acknowledgements):
    """Both calls, each with a point before and behind it at which the process may die."""

    def __init__(self, world: World) -> None:
        ledger = world.ledger
        super().__init__(ledger.redis, ledger.keys, ledger.limits)
        self._world = world

    def lease(self, max_runs: int, lease_ms: int) -> Any:
        self._world.step()
        leased = super().lease(max_runs, lease_ms)
        self._world.step()
        return leased

    def settle(self, verdicts: Any, max_claims: int = 500) -> Any:
        self._world.step()
        settlement = super().settle(verdicts, max_claims)
        self._world.step()
        return settlement


@pytest.fixture(scope="module")
def mapping() -> Iterator[Mapping]:
    made = Mapping.load(None, {})
    yield made
    made.close()


@pytest.fixture(scope="module")
def make_world(tmp_path_factory: pytest.TempPathFactory, mapping: Mapping) -> Iterator[Callable[[], World]]:
    server = EmbeddedRedis(tmp_path_factory.mktemp("redis"))
    server.start()
    server.wait_ready()
    client = connect(server.url)

    def make() -> World:
        client.flushall()
        return World(Ledger(client, Keys.of("org/polling"), Limits()), mapping)

    yield make
    client.close()
    server.stop()


def settle(world: World) -> None:
    """Processes that live long enough, until nothing changes any more."""
    world.port.faults.clear()
    world.port.lost.clear()
    for _ in range(3):
        world.lapse()
        world.run_process()
    world.lapse()
    world.check()


def test_without_a_fault_each_run_is_acknowledged_and_sent_once(make_world: Callable[[], World]) -> None:
    """What the other tests disturb."""
    world = make_world()
    world.run_process()

    assert Counter(RUNS) == world.sent == Counter(world.port.claims.acknowledged)
    world.check()


@pytest.mark.parametrize("kill_in", range(24))
def test_a_process_that_dies_anywhere_loses_nothing(make_world: Callable[[], World], kill_in: int) -> None:
    """Before and after each claim, store, lease, answer and settlement, and before what may start is published."""
    world = make_world()
    world.run_process(kill_in)
    settle(world)


@pytest.mark.parametrize("kill_in", range(24))
def test_what_others_took_after_the_crash_is_sent_only_if_it_may_be_ours(
    make_world: Callable[[], World], kill_in: int
) -> None:
    """Its claim has lapsed by the time we come back."""
    world = make_world()
    world.run_process(kill_in)
    for id in RUNS:
        world.give_to_others(id)
    settle(world)


FAULT = st.sampled_from([None, None, SILENT, ABSENT, PortUnavailable("503", None, 503), PortRefused("ack", 409)])
EVENT = st.one_of(
    st.tuples(st.just("process"), st.integers(-1, 30), st.lists(FAULT, max_size=8), st.lists(FAULT, max_size=8)),
    st.tuples(st.just("lapse")),
    st.tuples(st.just("others"), st.sampled_from(RUNS)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=st.lists(EVENT, max_size=8))
def test_whatever_happens_in_whatever_order(make_world: Callable[[], World], events: list[Any]) -> None:
    """Crashes, lost answers, refusals, lapsed claims and other agents."""
    world = make_world()
    for kind, *details in events:
        if kind == "process":
            kill_in, faults, lost = details
            # A refusal by which Port would break its word (it has given the run to nobody else) is no case.
            world.port.faults.extend(fault for fault in faults if not isinstance(fault, PortRefused))
            world.port.lost.extend(SILENT if fault else None for fault in lost)
            world.run_process(kill_in)
        elif kind == "lapse":
            world.lapse()
        else:
            world.give_to_others(details[0])
    settle(world)


def test_the_threads_that_ask_port_end(make_world: Callable[[], World]) -> None:
    """Each call has one of its own, which must not be left behind."""
    world = make_world()
    world.run_process()

    assert [] == [thread for thread in threading.enumerate() if thread.name == "ack" and thread.is_alive()]
