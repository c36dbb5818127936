"""Calls for many: each is judged alone, and together they leave what the same calls leave one by one."""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import redis

from longshore.errors import StoreUnavailable
from longshore.ledger.connection import connect
from longshore.ledger.entry import AttemptEnd, Claim, ReportsAck, StartedAttempt
from longshore.ledger.faults import LedgerFault
from longshore.ledger.keys import Keys
from longshore.ledger.ledger import LOAD_BYTES, MAX_ENDS, Ledger
from longshore.ledger.limits import Limits
from longshore.ledger.record import UnknownFormat
from longshore.ledger.report_outbox import ReportOutbox
from longshore.ledger.states import State
from longshore.runtime.embedded_redis import EmbeddedRedis
from tests.support.ledger_census import census
from tests.support.one_claim import attempt_of

from .conftest import entry, span, state, store

DONE = AttemptEnd(State.DONE, "delivered", 200, 0, b"history", (b"Lended",), "well", "well")
IDS = ("r_0", "r_1", "r_2")


def claim_all(ledger: Ledger, count: int = len(IDS)) -> list[tuple[str, int]]:
    """New invocations, all of them claimed: id and token of each."""
    store(ledger, *(entry(f"r_{n}", offset=n) for n in range(count)))
    return sorted((claim.id, claim.token) for claim in ledger.pump().claims)


def ended(claims: Sequence[tuple[str, int]], end: AttemptEnd = DONE) -> list[tuple[StartedAttempt, AttemptEnd]]:
    return [(attempt_of(id, token), end) for id, token in claims]


def spoil(ledger: Ledger, name: str) -> None:
    """Somebody else writes to a key of ours."""
    ledger.redis.delete(name)
    ledger.redis.set(name, "neither list nor hash")


def test_many_go_through_a_ledger_in_three_calls(ledger: Ledger) -> None:
    """Loaded, begun and finished; what is loaded says how it will begin."""
    claims = claim_all(ledger)

    loaded = ledger.load(claims)
    assert [(id, 1, 0) for id in IDS] == [(one.id, one.number, one.first_ms) for one in loaded]  # type: ignore[union-attr]
    assert ["claimed"] * 3 == [state(ledger, id) for id in IDS]
    assert all(isinstance(first_ms, int) and first_ms > 0 for first_ms in ledger.begin(claims))
    result = ledger.finish(ended(claims))

    assert (("done",) * 3, (), 1) == result
    assert [] == census(ledger.redis, ledger.keys).problems()


def test_stale_claims_among_many_harm_nobody(ledger: Ledger) -> None:
    """Nor does one that comes twice, or one that nobody has heard of."""
    one, two, three = claim_all(ledger)
    mixed = [one, ("r_unheard_of", 1), (two[0], 7), one, three]

    assert ["r_0", None, None, "r_0", "r_2"] == [one and one.id for one in ledger.load(mixed)]  # type: ignore[union-attr]
    assert [True, False, False, False, True] == [first_ms is not None for first_ms in ledger.begin(mixed)]
    assert ("done", "gone", "stale", "done", "done") == ledger.finish(ended(mixed)).states
    assert [False, False, False, True] == ledger.release([one, ("r_unheard_of", 1), (two[0], 7), two])
    assert [] == census(ledger.redis, ledger.keys).problems()


def test_a_record_of_another_format_says_so_among_others(ledger: Ledger) -> None:
    """The others are loaded."""
    claims = claim_all(ledger)
    ledger.redis.hset(ledger.keys.invocation("r_1"), "format", 9)

    assert [StartedAttempt, UnknownFormat, StartedAttempt] == [type(one) for one in ledger.load(claims)]


@pytest.mark.parametrize("field", ["kind", "published"])
def test_a_record_without_a_field_is_a_fault_among_others(ledger: Ledger, field: str) -> None:
    """Nothing is known to do with it."""
    claims = claim_all(ledger)
    ledger.redis.hdel(ledger.keys.invocation("r_1"), field)

    assert [StartedAttempt, LedgerFault, StartedAttempt] == [type(one) for one in ledger.load(claims)]


@pytest.mark.parametrize("operation", ["load", "begin", "release", "finish"])
def test_what_is_no_record_is_a_fault_among_others(ledger: Ledger, operation: str) -> None:
    """Each call says which, and does the rest."""
    claims = claim_all(ledger)
    if operation == "finish":
        ledger.begin(claims)
    spoil(ledger, ledger.keys.invocation("r_1"))

    calls: dict[str, Callable[[], Sequence[object]]] = {
        "load": lambda: ledger.load(claims),
        "begin": lambda: ledger.begin(claims),
        "release": lambda: ledger.release(claims),
        "finish": lambda: ledger.finish(ended(claims)).states,
    }
    answers = calls[operation]()
    after = {"load": "claimed", "begin": "begun", "release": "waiting", "finish": "done"}[operation]

    assert [False, True, False] == [isinstance(answer, LedgerFault) for answer in answers]
    assert f"{operation} failed at it: WRONGTYPE" in str(answers[1])
    ledger.redis.delete(ledger.keys.invocation("r_1"))
    assert [after, after] == [state(ledger, "r_0"), state(ledger, "r_2")]
    assert ledger.redis.zcard(ledger.keys.leases) == (1 if operation in ("release", "finish") else 3)


@pytest.mark.parametrize("key", ["attempts", "reports"])
@pytest.mark.parametrize("result", [State.DONE, State.WAITING, State.DEAD, State.UNKNOWN])
def test_an_end_that_cannot_be_stored_leaves_its_invocation_as_it_was(ledger: Ledger, key: str, result: State) -> None:
    """Every counter is right, and once its key is mended it ends as the others."""
    claims = claim_all(ledger)
    ledger.begin(claims)
    spoil(ledger, getattr(ledger.keys, key)("r_1"))
    end = AttemptEnd(result, "because", 500, 60_000, b"history", (b"Lended",), "fault", "fault")

    first = ledger.finish(ended(claims, end), max_claims=0).states
    assert [result, LedgerFault, result] == [type(one) if isinstance(one, LedgerFault) else one for one in first]
    assert "begun" == state(ledger, "r_1")
    ledger.redis.delete(getattr(ledger.keys, key)("r_1"))
    assert [] == census(ledger.redis, ledger.keys).problems()
    assert (result,) * 3 == ledger.finish(ended(claims, end), max_claims=0).states
    assert [] == census(ledger.redis, ledger.keys).problems()


def test_reports_whose_keys_are_broken_are_a_fault_among_others(ledger: Ledger) -> None:
    """They are never sent, and hold up nobody."""
    claims = claim_all(ledger)
    ledger.begin(claims)
    ledger.finish(ended(claims))
    leased = ReportOutbox(ledger).lease(10, 60_000)
    spoil(ledger, ledger.keys.reports(leased[1].id))

    one, broken, unsent = leased
    acks = [ReportsAck(one), ReportsAck(broken), ReportsAck(unsent, unsent.items), ReportsAck(one)]
    answers = ReportOutbox(ledger).ack(acks)
    assert [True, LedgerFault, True, False] == [
        type(answer) if isinstance(answer, LedgerFault) else answer for answer in answers
    ]
    assert [unsent.id] == [each.id for each in ReportOutbox(ledger).lease(10, 60_000)]
    ledger.redis.zadd(ledger.keys.outbox_leases, {broken.id: -1})
    assert [] == ReportOutbox(ledger).lease(10, 60_000)


@pytest.mark.parametrize("key", ["reports", "invocation"])
def test_a_lease_that_cannot_lapse_holds_up_no_other(ledger: Ledger, key: str) -> None:
    """It is looked at again after another lease."""
    claims = claim_all(ledger)
    ledger.begin(claims)
    spoil(ledger, getattr(ledger.keys, key)("r_1"))
    ledger.redis.zadd(ledger.keys.leases, dict.fromkeys(IDS, -1))

    found = {one.id: (one.state, one.reason) for one in ledger.pump(0).expired}
    lost = (State.UNKNOWN, "worker_lost")
    assert {"r_0": lost, "r_1": (State.BEGUN, "broken_record"), "r_2": lost} == found
    assert () == ledger.pump(0).expired
    if key == "reports":
        ledger.redis.delete(ledger.keys.reports("r_1"))
        assert [] == census(ledger.redis, ledger.keys).problems()


def test_what_is_no_record_holds_up_nobody_else(ledger: Ledger) -> None:
    """Neither who waits in the same lane, nor the heartbeat of the worker that has begun it."""
    store(ledger, *(entry(id, offset=n) for n, id in enumerate(IDS)))
    spoil(ledger, ledger.keys.invocation("r_1"))

    claims = [(claim.id, claim.token) for claim in ledger.pump().claims]
    assert ["r_0", "r_2"] == sorted(id for id, _ in claims)
    assert 100 == ledger.heartbeat("worker-1", 100, [("r_1", 1), *claims])


def test_as_many_messages_are_loaded_as_fit(ledger: Ledger) -> None:
    """The first however long it is; the rest with the next call."""
    sizes = [LOAD_BYTES + 1, 10, 10, 10]
    store(ledger, *(entry(f"r_{n}", offset=n, payload=b"x" * size) for n, size in enumerate(sizes)))
    claims = sorted((claim.id, claim.token) for claim in ledger.pump().claims)

    assert 1 == len(ledger.load(claims))
    assert 3 == len(ledger.load(claims[1:]))
    assert 2 == len(ledger.load(claims[1:], max_bytes=20))
    assert [] == ledger.load([])


def test_a_call_stores_a_bounded_number_of_ends(ledger: Ledger) -> None:
    """So that no script holds Redis for long."""
    with pytest.raises(ValueError, match="at most 50"):
        ledger.finish(ended([("r_1", 1)] * (MAX_ENDS + 1)))


@pytest.mark.parametrize("verbatim", [True, False])
@pytest.mark.parametrize("format", [2, 3])
def test_the_third_format_says_whether_the_message_is_the_body(ledger: Ledger, verbatim: bool, format: int) -> None:
    """Older ones never do."""
    store(ledger, entry("r_1", format=format, verbatim=verbatim))
    ((claim,), *_) = ledger.pump()

    (attempt,) = ledger.load([(claim.id, claim.token)])
    assert isinstance(attempt, StartedAttempt)
    assert attempt.verbatim == (verbatim and format == 3)


def test_every_answer_with_claims_says_how_many_workers_there_are(ledger: Ledger) -> None:
    """Whoever publishes them divides them by it."""
    ledger.heartbeat("worker-2", 10)

    assert 2 == ledger.accept([span(0, 1)], [entry("r_1")]).workers
    assert 2 == ledger.pump().workers
    assert 2 == ledger.finish([]).workers


def test_what_redis_refuses_within_a_call_is_no_fault_of_a_record(
    ledger: Ledger, client: Any, store_redis: EmbeddedRedis
) -> None:
    """A user without a right: the call is made again, until somebody has given it."""
    claims = claim_all(ledger)
    ledger.begin(claims)
    client.execute_command("ACL", "SETUSER", "poor", "on", "nopass", "~*", "+@all", "-rpush")
    host_and_port = store_redis.url.rpartition("@")[2].removeprefix("redis://")
    poor = Ledger(connect(f"redis://poor:x@{host_and_port}"), ledger.keys, ledger.limits)

    with poor, pytest.raises(StoreUnavailable):
        poor.finish(ended(claims))
    client.execute_command("ACL", "DELUSER", "poor")
    assert ["begun"] * 3 == [state(ledger, id) for id in IDS]
    assert [] == census(client, ledger.keys).problems()
    assert ("done",) * 3 == ledger.finish(ended(claims)).states


# The same as one by one


def dump(ledger: Ledger) -> dict[str, str]:
    """All that `ledger` holds. Times are only times, and turns are given per call; minutes and hours are one."""
    client: Any = ledger.redis
    found = {}
    activity: defaultdict[str, Counter[bytes]] = defaultdict(Counter)
    for name in client.keys(f"{ledger.keys.prefix}*"):
        if span := re.fullmatch(r"act:([mqh]):\d+", name.decode().removeprefix(ledger.keys.prefix)):
            activity[span[1]].update({field: int(count) for field, count in client.hgetall(name).items()})
            continue
        value = {
            b"hash": lambda name: sorted(client.hgetall(name).items()),
            b"zset": lambda name: sorted(client.zrange(name, 0, -1, withscores=True)),
            b"list": lambda name: client.lrange(name, 0, -1),
            b"string": client.get,
        }[client.type(name)](name)
        without_times = re.sub(r"\d{12,}(\.\d+)?", "<time>", str(value))
        found[name.decode().removeprefix(ledger.keys.prefix)] = re.sub(r"', \d+\.0\)", "', <turn>)", without_times)
    found |= {f"act:{span}": str(sorted(counts.items())) for span, counts in activity.items()}
    return {name: value for name, value in found.items() if name not in ("clock", "name", "turn")}


def test_a_batch_leaves_what_the_same_calls_leave_one_by_one(client: "redis.Redis") -> None:
    """Random batches on two ledgers: one is given them whole, the other in pieces."""
    for seed in range(6):
        client.flushall()
        pair = [
            Ledger(
                client,
                Keys.of(f"org/{name}"),
                Limits(history=3, breaker_open=3_600_000, report_delay=0, open=seed % 2 == 0),
            )
            for name in ("whole", "pieces")
        ]
        steps = [play(random.Random(seed), ledger, whole) for ledger, whole in zip(pair, (True, False), strict=True)]
        for number, (left, right) in enumerate(zip(*steps, strict=True)):
            assert left == right, f"seed {seed}, step {number}"


def play(chance: random.Random, ledger: Ledger, whole: bool) -> list[Any]:
    """What a ledger answers and holds after each step."""

    def run(call: Callable[[list[Any]], Sequence[Any]], items: list[Any]) -> list[str]:
        answers = call(items) if whole else [answer for item in items for answer in call([item])]
        # Not a fault's text, nor the time of a beginning.
        return [re.sub(r"\d{12,}", "<time>", str(answer)) for answer in answers]

    seen: list[Any] = []
    ledger.heartbeat("worker-1", 100)
    claims: list[Claim] = []
    targets = ("http://a:80", "http://b:80")
    entries = [
        entry(f"r_{n}", targets[n % 2], ("x", "y")[n % 3 == 0], n, reports=(b"Lone",), unknown_outcome="retry")
        for n in range(24)
    ]
    store(ledger, *entries)
    for _ in range(8):
        claims += sorted(ledger.pump().claims, key=lambda claim: claim.id)
        some = [(claim.id, claim.token) for claim in chance.choices(claims, k=8)]
        if chance.random() < 0.3:
            spoil(ledger, ledger.keys.attempts(some[0][0]))
        seen.append(run(ledger.load, some))
        seen.append(run(ledger.begin, some))
        seen.append(run(ledger.release, [(id, token) for id, token in chance.sample(some, 3)]))
        ends = [
            (
                attempt_of(id, token),
                AttemptEnd(
                    chance.choice([State.DONE, State.DONE, State.WAITING, State.DEAD, State.UNKNOWN]),
                    "because",
                    500,
                    chance.choice([0, 60_000]),
                    b"history",
                    chance.choice([(), (b"Lended",), (b"SSUCCESS", b"Lended")]),
                    chance.choice(["", "well", "well", "fault"]),
                    chance.choice(["", "well", "well", "fault"]),
                    chance.random() < 0.8,
                ),
            )
            for id, token in chance.choices(some, k=8)
        ]
        seen.append(run(lambda items: ledger.finish(items, 0).states, ends))
        leased = sorted(ReportOutbox(ledger).lease(100, 60_000), key=lambda one: one.id)
        acks = [ReportsAck(one, one.items[1:], chance.choice([0, 60_000])) for one in leased]
        seen.append(run(ReportOutbox(ledger).ack, acks + acks[:1]))
        ledger.redis.hincrby(ledger.keys.clock, "lease", chance.choice([0, 0, 20_000]))
        ledger.heartbeat("worker-1", 100)
        seen.append(dump(ledger))
    return seen


@pytest.mark.parametrize("open", [True, False])
def test_a_call_whose_answer_was_lost_changes_nothing_the_second_time(
    make_ledger: Callable[..., Ledger], store_redis: EmbeddedRedis, open: bool
) -> None:
    """The connection is cut before the answer; whether the script has run, nobody knows."""
    ledger = make_ledger(open=open)
    ledger.heartbeat("worker-1", 100)
    claims = claim_all(ledger, 20)
    ledger.begin(claims)
    results = [State.DONE, State.WAITING, State.DEAD, State.UNKNOWN]
    ends = [
        (attempt_of(id, token), AttemptEnd(results[n % 4], "because", 500, 60_000, b"history", (b"Lended",), "fault"))
        for n, (id, token) in enumerate(claims)
    ]
    once = ledger.finish(ends, 0).states
    after_once = dump(ledger)

    for _ in range(3):
        cut = Cut(connect(store_redis.url))
        lost = Ledger(cut.client, ledger.keys, ledger.limits)
        lost._calls = cut  # type: ignore[assignment]
        with pytest.raises(StoreUnavailable):
            lost.finish(ends, 0)
    assert once == ledger.finish(ends, 0).states
    assert after_once == dump(ledger)
    assert [] == census(ledger.redis, ledger.keys).problems()


class Cut:
    """Sends a call and closes the connection before it is answered."""

    def __init__(self, client: "redis.Redis") -> None:
        self.client = client

    def run(self, *command: Any) -> Any:
        """Never answers."""
        connection: Any = self.client.connection_pool.get_connection()
        connection.send_command(*command)
        connection.disconnect()
        raise redis.ConnectionError("cut")


def test_what_many_share_is_written_once(ledger: Ledger, client: "redis.Redis") -> None:
    """The commands that a batch adds for each more in it are those on its own keys."""
    claims = claim_all(ledger, 50)

    def commands(call: Callable[[], object]) -> int:
        client.config_resetstat()
        call()
        stats: Any = client.info("commandstats")
        return sum(each["calls"] for name, each in stats.items() if name not in ("cmdstat_evalsha", "cmdstat_eval"))

    for call in (ledger.load, ledger.begin, lambda some: ledger.finish(ended(some), 0)):
        one = commands(lambda: call(claims[:1]))  # noqa: B023
        many = commands(lambda: call(claims[1:]))  # noqa: B023
        assert (many - one) / 48 <= 7.1
