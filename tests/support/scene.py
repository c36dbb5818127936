"""Everything around a fleet that is to be broken: real Kafka and Redis, a fake Port, targets, load and accounts.

Waiting is done in `until`, which polls; while it does, it also times how long what was struck takes to recover.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import redis

from longshore.ledger.keys import Keys
from longshore.ledger.states import State
from longshore.log import events
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_targets import Behavior, FakeTargets
from longshore.sandbox.publisher import topics
from tasks.worker.pipeline.begin import MAX_UNSENT
from tests.support.accounts import Account, Accounts
from tests.support.faults_row import Row
from tests.support.faults_table import SIZE
from tests.support.faulty_redis import FaultyRedis
from tests.support.fleet import Fleet, Member
from tests.support.held_claims import held_claims
from tests.support.kafka_broker import KafkaBroker
from tests.support.load import Load, Sent
from tests.support.moved_target import MovedTarget
from tests.support.network import Network
from tests.support.polled_load import PolledLoad
from tests.support.programs import eventually

FULL = SIZE >= 2000
"""Whether faults last as long as they are to be survived; shorter ones show the same mechanisms."""

BOUND_S = 480 * max(1.0, SIZE / 2000)
"""Within which each test ends, or something is stuck: three times what the longest take on a busy machine."""
PATIENCE_S = 0.5 * BOUND_S
"""How long a test waits for one thing."""

SECRET = "faults-client-secret-0123456789-abcdef"
MANNERS = Behavior(slow_s=0.5)
WEBHOOK_TIMEOUT_S = 10 if FULL else 4
"""Long, as the targets are in the process of the test, which has much else to do."""
EXIT_BOUND_S = WEBHOOK_TIMEOUT_S + 5
"""What the programs promise for their end after SIGTERM."""
RECOVERY_BOUND_S = 30.0
"""What the fleet promises for work that a dead program held."""
LEASE_S = 8
"""The shortest there is."""
ATTEMPTS = 6
SLOTS = 60
STRIKE_S = 15.0 if FULL else 4.0
"""How long what is struck stays so."""
BUSY = 20
"""Invocations claimed or begun when something is struck."""
UNSYNCED_S = 2.0
"""What a killed Redis may forget: what it has not yet written while the disk is busy with the sync of every second."""
POLL_S = 0.1
PORTION_S = 0.25
"""How often more is published while a fault lasts."""
AWAY = (redis.ConnectionError, redis.TimeoutError)
"""Redis is down or loading: look again in a moment."""


@dataclass(slots=True)
class Recovery:
    """How long something that was struck takes until `over` holds."""

    what: str
    over: Callable[[], bool]
    began: float = field(default_factory=time.monotonic)
    seconds: float | None = None

    def look(self) -> None:
        """Take the time if it is over now."""
        if self.seconds is None and self.over():
            self.seconds = time.monotonic() - self.began


class Scene:
    """One agent and its world. `organization` names its topics and its group, and must be new to the broker.

    With `networked` there is a `network` between the two. With STREAMER_NAME=POLLING runs are polled from Port.
    """

    def __init__(
        self,
        folder: Path,
        kafka: KafkaBroker,
        server: FaultyRedis,
        organization: str,
        seed: int,
        networked: bool = False,
        **environ: str,
    ) -> None:
        runs, changes = topics(organization)
        kafka.create_topic(runs, 4)
        kafka.create_topic(changes, 2)
        self.redis = server
        self.kafka = kafka
        self.seed = seed
        self.dice = random.Random(seed)
        self.targets = FakeTargets(behavior=MANNERS).start()
        self.moved = MovedTarget()
        self.port = FakePort().start()
        urls = {name: self.targets.url(name) for name in FakeTargets.NAMES} | {"moved": self.moved.url}
        self.network = Network(kafka, server, self.port.url, urls) if networked else None
        if self.network:
            urls |= self.network.urls
            environ = self.network.environ | environ
        is_polled = environ.get("STREAMER_NAME") == "POLLING"
        self.load = (
            PolledLoad(self.port, kafka.bootstrap, organization, SECRET, urls, seed)
            if is_polled
            else Load(kafka.bootstrap, organization, SECRET, urls, seed)
        )
        self.pace = SIZE / 4 / STRIKE_S
        group = f"{organization}.agent"
        self.accounts = Accounts(server.url, f"{organization}/{group}", self.targets, self.moved, self.port, MANNERS)
        self.keys: Keys = self.accounts.keys
        self.fleet = Fleet(
            folder / "logs",
            {
                "PORT_ORG_ID": organization,
                "PORT_CLIENT_ID": "client",
                "PORT_CLIENT_SECRET": SECRET,
                "PORT_API_BASE_URL": self.port.url,
                "USING_LOCAL_PORT_INSTANCE": "true",
                "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": kafka.bootstrap,
                "KAFKA_CONSUMER_GROUP_ID": group,
                "KAFKA_CONSUMER_AUTO_OFFSET_RESET": "earliest",
                # The shortest that a broker takes by default: how long a killed ingest's partitions stand still.
                "KAFKA_CONSUMER_SESSION_TIMEOUT_MS": "6000",
                "KAFKA_BATCH_SIZE": "50",
                "REDIS_URL": server.url,
                "LEASE_S": str(LEASE_S),
                "WORKER_SLOTS": str(SLOTS),
                "WEBHOOK_INVOKER_TIMEOUT": str(WEBHOOK_TIMEOUT_S),
                "RETRY_MAX_ATTEMPTS": str(ATTEMPTS),
                # Port's limit for an organization would stretch the reports of this load over a minute.
                "PORT_API_RATE": "0",
                # Half of the targets are bad on purpose: breakers would only make the tests longer.
                "BREAKER_FAILURES": "1000000",
                "RETRY_BASE_S": "0.2",
                "RETRY_MAX_S": "1",
                "COMMIT_DELAY_S": "1",
                "REPORT_DELAY_S": "0.5",
            }
            | environ,
        )
        self.recoveries: list[Recovery] = []
        self.recovery_bound_s = RECOVERY_BOUND_S
        self.begun_at_kills: list[set[str]] = []
        """For each worker that was killed what had begun then, at it or at its siblings."""
        self._redis_killed_at: list[float] = []
        self.learned_late: set[str] = set()
        """What workers had that were gone for long and lived: an outcome may have come after Port was told of none."""

    def start_fleet(self, ingests: int = 2, workers: int = 2) -> None:
        """Start the programs and wait until all work."""
        members = self.fleet.start("worker", workers) + self.fleet.start("ingest", ingests)
        for member in members:
            member.wait_ready()

    def until(self, condition: Callable[[], object], what: str, within_s: float = PATIENCE_S) -> None:
        """Return as soon as `condition()` holds; fails with `what` if it does not in time."""

        def holds() -> bool:
            try:
                self.look()
                return bool(condition())
            except AWAY:
                return False  # that is what some of the tests are about

        eventually(holds, lambda: f"{what}; {self._unfinished()}", within_s, every_s=POLL_S)

    def look(self) -> None:
        """Take the times of what has recovered now. Raises `AWAY`."""
        for recovery in self.recoveries:
            recovery.look()

    def pass_time(self, for_s: float = STRIKE_S, targets: Mapping[str, int] | None = None) -> None:
        """A fault lasts so long; meanwhile more is published, `pace` a second, and nothing is waited for."""
        end, share = time.monotonic() + for_s, 0.0
        while (left := end - time.monotonic()) > 0:
            step = min(PORTION_S, left)
            share += self.pace * step
            if share >= 1:
                self.load.publish(int(share), targets or self.load.targets)
                share %= 1
            time.sleep(max(0.0, min(step, end - time.monotonic())))

    def until_busy(self, member: Member | None = None) -> None:
        """Wait until the fleet has work in hand, and `member`, if it is a worker, has a part in it.

        Publishes more, as before, whenever all has ended too quickly to be seen.
        """
        before = member.attempts() if member else 0

        def busy() -> bool:
            if not self.accounts.unfinished(self.load.sent):
                self.load.publish(4 * BUSY, self.load.targets)
            has_part = member is None or member.role != "worker" or member.attempts() > before
            return has_part and len(self.accounts.leased()) >= BUSY

        self.until(busy, f"{BUSY} invocations under way{f', some of them at {member.name}' if member else ''}")

    def until_settled(self, within_s: float = PATIENCE_S) -> None:
        """Wait until everything published has ended, is reported, and whatever was struck has recovered."""
        left: list[Sent] = list(self.load.sent)

        def ended() -> bool:
            left[:] = self.accounts.unfinished(left)
            return not left

        self.until(ended, "every invocation has ended", within_s)
        self.until(lambda: self.accounts.reports_left() == 0, "Port has heard everything", within_s)
        self.until_recovered(within_s)
        self.until(lambda: not self.fleet.orphans(), "the children of killed programs have ended", within_s)
        self.until(self._holds_nothing, "no worker holds a claim", within_s)

    def _holds_nothing(self) -> bool:
        workers = self.fleet.living("worker")
        held = held_claims(self.fleet.environ, len(workers)) if workers else {}
        return held is not None and not any(held.values())

    def until_recovered(self, within_s: float = PATIENCE_S) -> None:
        """Wait until whatever was struck has recovered."""
        self.until(lambda: all(each.seconds is not None for each in self.recoveries), "everything is back", within_s)

    def _unfinished(self) -> str:
        """What has not ended, for the message of a failure."""
        left = self.accounts.of(self.accounts.unfinished(self.load.sent))
        late = [each.what for each in self.recoveries if each.seconds is None]
        return f"logs are in {self.fleet.folder}; late: {late}; unfinished: {len(left)}, among them {left[:5]}"

    def recovers(self, what: str) -> None:
        """Time from now on how long it takes until all published so far is in the ledger, and nothing is stuck."""
        held, published = self.accounts.leased(), list(self.load.sent)
        self.recoveries.append(
            Recovery(what, lambda: not self.accounts.still_leased(held) and not self.accounts.missing(published))
        )

    def kill_worker(self, worker: Member) -> set[str]:
        """Kill a worker and start another at once. Returns the ids that had begun, its own and its siblings'."""
        worker.kill()
        begun = self.note_kill(worker)
        self.fleet.replace(worker)
        return begun

    def kill_redis(self) -> None:
        """Kill Redis, which may forget its last moments: see `at_risk`."""
        self._redis_killed_at.append(time.time())
        self.redis.kill()

    def at_risk(self) -> set[str]:
        """Ids of what reached targets when Redis was killed: it may not know so, and they may be sent again."""
        return set().union(
            *(self.arrived_since(at - UNSYNCED_S) - self.arrived_since(at + UNSYNCED_S) for at in self._redis_killed_at)
        )

    def note_kill(self, worker: Member) -> set[str]:
        """A worker has been killed this moment. Returns the ids that had begun, its own and its siblings'."""
        held = self.accounts.leased()
        self.recoveries.append(Recovery(f"{worker.name} killed", lambda: not self.accounts.still_leased(held)))
        begun = {id for id, (state, _) in held.items() if state == State.BEGUN}
        self.begun_at_kills.append(begun)
        return begun

    def note_missing(self, worker: Member) -> None:
        """A worker cannot be reached from this moment on, for longer than its leases."""
        held = self.accounts.leased()
        self.recoveries.append(Recovery(f"{worker.name} gone", lambda: not self.accounts.still_leased(held)))
        self.learned_late |= held.keys()

    def kill_ingest(self, ingest: Member) -> None:
        """Kill an ingest and start another at once; it has recovered when all published so far is in the ledger."""
        published = list(self.load.sent)
        ingest.kill()
        self.fleet.replace(ingest)
        self.recoveries.append(Recovery(f"{ingest.name} killed", lambda: not self.accounts.missing(published)))

    def arrived_since(self, epoch_s: float) -> set[str]:
        """Ids of what reached a target since then."""
        return {request.run_id for request in self.targets.received() if request.at >= epoch_s}

    def balance(self, forgotten: Collection[str] = ()) -> list[Account]:
        """The accounts of everything published; fails with what must not be, whatever was broken.

        Of the ids in `forgotten` the ledger lost what it knew: they must have ended, but perhaps not as Port was told.
        """
        forgotten = {*forgotten, *self.learned_late, *self.at_risk()}
        accounts = self.accounts.of(self.load.sent)
        problems = [
            problem
            for account in accounts
            for problem in account.problems()
            if account.lost or account.sent.id not in forgotten
        ]
        problems += self._too_many_unsent([account for account in accounts if account.sent.id not in forgotten])
        assert not problems, f"{len(problems)} problems, logs are in {self.fleet.folder}:\n" + "\n".join(problems[:20])
        violations = [one for one in self.port.violations if not any(id in one for id in forgotten)]
        assert not violations, violations
        assert not (imbalances := self.accounts.imbalances()), imbalances
        slow = [f"{each.what}: {each.seconds} s" for each in self.recoveries if each.seconds is None]
        slow += [
            f"{each.what}: {each.seconds:.1f} s"
            for each in self.recoveries
            if each.seconds is not None and each.seconds > self.recovery_bound_s
        ]
        assert not slow, slow
        return accounts

    def _too_many_unsent(self, accounts: Sequence[Account]) -> list[str]:
        """Attempts that began and were never sent: only of killed workers, and no more of each than is promised."""
        assert len(self.begun_at_kills) == self.fleet.killed_workers(), "a killed worker was not noted"
        unsent = {account.sent.id: account.unsent for account in accounts if account.unsent}
        found = [f"{id} began and was never sent, though no worker was killed then" for id in unsent]
        found = [one for one, id in zip(found, unsent, strict=True) if not any(id in at for at in self.begun_at_kills)]
        # One that had begun at several kills was cut off in any of them, and counts for all of them together.
        kills = self.begun_at_kills
        of_each = [
            sum(count for id, count in unsent.items() if id in at and sum(id in other for other in kills) == 1)
            for at in kills
        ]
        if max(of_each, default=0) > MAX_UNSENT or sum(unsent.values()) > MAX_UNSENT * len(kills):
            found.append(f"began and were never sent: {sum(unsent.values())}; of them at one kill only: {of_each}")
        return found

    def end(self) -> None:
        """End every worker with SIGTERM: nothing is under way in any of them, so that each ends at once and well."""
        for worker in self.fleet.living("worker"):
            worker.ask_to_end()
            code, _ = worker.wait_end(2 * EXIT_BOUND_S)
            assert code == 0, f"{worker.name} ended with code {code}"
            (line,) = [line for line in worker.log().splitlines() if events.WORKER_DRAINING.name in line]
            assert "in_flight=0" in line, f"{worker.name}: {line}"

    def row(self, fault: str) -> Row:
        """The line of the table, from the accounts as they are."""
        accounts = self.accounts.of(self.load.sent)
        return Row(
            fault=fault,
            published=len(accounts),
            delivered=sum(account.state == State.DONE for account in accounts),
            dead=sum(account.state == State.DEAD for account in accounts),
            unknown=sum(account.state == State.UNKNOWN for account in accounts),
            lost=sum(account.lost for account in accounts),
            repeated=sum(account.repeats > 0 for account in accounts),
            unsent=sum(account.unsent for account in accounts),
            recovery_s=max((each.seconds or 0.0 for each in self.recoveries), default=0.0),
        )

    def close(self) -> None:
        """End everything."""
        self.fleet.close()
        self.accounts.close()
        if self.network:
            self.network.close()
        self.port.stop()
        self.moved.stop()
        self.targets.stop()

    def __enter__(self) -> Scene:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
