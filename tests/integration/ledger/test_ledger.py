"""The ledger on a real Redis: nothing is in two places or in none, whatever comes twice, late or never."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import redis

from longshore.errors import StoreUnavailable
from longshore.ledger.entry import AttemptEnd, Claim
from longshore.ledger.ledger import Ledger
from longshore.ledger.partition_offsets import read_partition_offsets
from longshore.ledger.report_outbox import ReportOutbox
from longshore.ledger.states import State
from tests.support.one_claim import ack_one, begin_one, finish_one, release_one

from .conftest import entry, lapse, span, state, store

DONE = AttemptEnd(State.DONE, "delivered", 200, attempt=b"a")


def claim_one(ledger: Ledger) -> Claim:
    (claim,), _ = ledger.pump(1)[:2]
    return claim


def test_what_may_start_at_once_is_claimed_by_the_call_that_accepts_it(ledger: Ledger) -> None:
    """No timer stands between Kafka and the target."""
    accepted = ledger.accept([span(0, 1)], [entry("r_1")])

    assert ("accepted",) == accepted.results
    assert ["r_1"] == [claim.id for claim in accepted.claims]
    assert "claimed" == state(ledger, "r_1")


def test_the_same_record_again_changes_nothing(ledger: Ledger) -> None:
    """A repeat after a crash between accept and commit is recognised by its id and its place."""
    ledger.accept([span(0, 1)], [entry("r_1")])
    again = ledger.accept([span(0, 1)], [entry("r_1")])
    elsewhere = ledger.accept([span(7, 8)], [entry("r_1", offset=7)])

    assert ("repeated",) == again.results
    assert ("repeated_elsewhere",) == elsewhere.results
    assert () == again.claims + elsewhere.claims


def test_a_delivered_invocation_leaves_nothing_but_its_expiring_record(ledger: Ledger, client: "redis.Redis") -> None:
    """The payload stays for an hour, to be replayed; the record for a day, to recognise repeats."""
    (claim,) = ledger.accept([span(0, 1)], [entry("r_1")]).claims
    begun = begin_one(ledger, claim.id, claim.token)
    assert begun is not None
    assert (b"sealed", 1, "r_1") == (begun.payload, begun.number, begun.run)

    assert ("done", ()) == finish_one(ledger, "r_1", claim.token, DONE)
    assert "done" == state(ledger, "r_1")
    assert 0 < client.ttl(ledger.keys.payload("r_1")) <= 3600
    assert 0 < client.ttl(ledger.keys.invocation("r_1")) <= 86_400
    for empty in (ledger.keys.leases, ledger.keys.target_busy, ledger.keys.lane_busy, ledger.keys.targets):
        assert not client.exists(empty), empty


def test_only_the_newest_claim_may_begin_and_only_once(ledger: Ledger) -> None:
    """A doubled or stale Celery message starts nothing."""
    store(ledger, entry("r_1"))
    first = claim_one(ledger)
    lapse(ledger, "r_1")
    second = claim_one(ledger)

    assert begin_one(ledger, "r_1", first.token) is None
    assert begin_one(ledger, "r_1", second.token) is not None
    assert begin_one(ledger, "r_1", second.token) is None
    assert begin_one(ledger, "r_unheard_of", 1) is None


def test_a_claim_nobody_began_goes_back_without_using_an_attempt(ledger: Ledger) -> None:
    """The message was lost or its worker died before sending: nothing has left."""
    store(ledger, entry("r_1"))
    claim_one(ledger)
    lapse(ledger, "r_1")
    claims, lapsed = ledger.pump()[:2]

    assert [("r_1", "waiting", "not_begun")] == [(one.id, one.state, one.reason) for one in lapsed]
    assert [0] == [claim.attempts for claim in claims]


def test_a_worker_lost_after_it_began_is_parked_as_unknown(ledger: Ledger, client: "redis.Redis") -> None:
    """It may have been sent, so a person decides; Port is told."""
    store(ledger, entry("r_1", synchronized=True))
    claim = claim_one(ledger)
    begin_one(ledger, "r_1", claim.token)
    lapse(ledger, "r_1")
    _, lapsed = ledger.pump()[:2]

    assert ["unknown"] == [one.state for one in lapsed]
    assert client.zscore(ledger.keys.unknown, "r_1")
    (taken,) = ReportOutbox(ledger).lease(10, 60_000)
    assert (b"!worker_lost",) == taken.items


def test_a_worker_lost_after_it_began_is_sent_again_where_the_policy_says_so(ledger: Ledger) -> None:
    """Change log events are: their receivers are told about the same change again. At most so many times."""
    store(ledger, entry("cl.1", unknown_outcome="retry", max_attempts=2))
    for expected in ("waiting", "unknown"):
        claim = claim_one(ledger)
        begin_one(ledger, "cl.1", claim.token)
        lapse(ledger, "cl.1")
        _, (lapsed,) = ledger.pump(0)[:2]
        assert expected == lapsed.state


@pytest.mark.parametrize("meanwhile", ["unknown", "waiting", "claimed"])
def test_a_late_success_counts_while_nobody_has_begun_anew(ledger: Ledger, meanwhile: str) -> None:
    """The worker was presumed dead, and answers after all."""
    store(ledger, entry("r_1", unknown_outcome="park" if meanwhile == "unknown" else "retry"))
    claim = claim_one(ledger)
    begin_one(ledger, "r_1", claim.token)
    lapse(ledger, "r_1")
    ledger.pump(1 if meanwhile == "claimed" else 0)
    assert meanwhile == state(ledger, "r_1")

    applied, _ = finish_one(ledger, "r_1", claim.token, DONE)

    assert ("done", "done") == (applied, state(ledger, "r_1"))
    assert ((), ()) == ledger.pump()[:2]


def test_a_late_success_is_stale_once_somebody_has_begun_anew(ledger: Ledger) -> None:
    """The newer attempt owns the invocation."""
    store(ledger, entry("r_1", unknown_outcome="retry"))
    old = claim_one(ledger)
    begin_one(ledger, "r_1", old.token)
    lapse(ledger, "r_1")
    new = claim_one(ledger)
    begin_one(ledger, "r_1", new.token)

    assert "stale" == finish_one(ledger, "r_1", old.token, DONE)[0]
    assert "begun" == state(ledger, "r_1")


@pytest.mark.parametrize("result", ["done", "waiting", "dead", "unknown"])
def test_finishing_twice_is_finishing_once(ledger: Ledger, client: "redis.Redis", result: str) -> None:
    """The reply to finish was lost, so the worker says it again."""
    (claim,) = ledger.accept([span(0, 1)], [entry("r_1")]).claims
    begin_one(ledger, "r_1", claim.token)
    finish = AttemptEnd(State(result), "because", 500, delay_ms=60_000, attempt=b"a", reports=(b"Lone",))
    for _ in range(3):
        assert result == finish_one(ledger, "r_1", claim.token, finish)[0]

    assert 1 == client.llen(ledger.keys.attempts("r_1"))
    assert 1 == client.llen(ledger.keys.reports("r_1"))
    assert b"1" == client.hget(ledger.keys.counts, "retried" if result == "waiting" else result)


def test_a_retry_waits_until_it_is_due(ledger: Ledger, client: "redis.Redis") -> None:
    """Waiting work is not visited before its time."""
    (claim,) = ledger.accept([span(0, 1)], [entry("r_1")]).claims
    begin_one(ledger, "r_1", claim.token)
    finish_one(ledger, "r_1", claim.token, AttemptEnd(State.WAITING, "http_503", 503, delay_ms=60_000))

    assert ((), ()) == ledger.pump()[:2]
    client.zadd(ledger.keys.waiting("http://a:80 deploy"), {"r_1": 1})
    client.zadd(ledger.keys.lanes("http://a:80"), {"http://a:80 deploy": 2e12 - 1.9e12})
    client.zadd(ledger.keys.targets, {"http://a:80": 1})
    assert [1] == [claim.attempts for claim in ledger.pump()[0]]


def test_lanes_take_turns(ledger: Ledger) -> None:
    """A thousand waiting for one target do not stand before one for another."""
    store(ledger, *(entry(f"slow-{n}", "http://slow:80") for n in range(50)), entry("quick", "http://quick:80"))
    first_two, _ = ledger.pump(2)[:2]

    assert "quick" in {claim.id for claim in first_two}


def test_a_bad_route_takes_no_more_than_its_share_of_its_target(make_ledger: Callable[..., Ledger]) -> None:
    """Target and lane both have a limit in flight; a freed place goes to who waits."""
    ledger = make_ledger(target=5, lane=3)
    ledger.heartbeat("worker-1", 100)
    store(ledger, *(entry(f"bad-{n}", action="bad") for n in range(20)), *(entry(f"good-{n}") for n in range(20)))
    claims, _ = ledger.pump()[:2]
    held = [claim.id.split("-")[0] for claim in claims]

    assert (3, 2) == (max(map(held.count, held)), min(map(held.count, held)))
    assert ((), ()) == ledger.pump()[:2]
    begin_one(ledger, claims[0].id, claims[0].token)
    _, (next_one,) = finish_one(ledger, claims[0].id, claims[0].token, DONE, max_claims=10)
    assert next_one.id not in {claim.id for claim in claims}


def test_no_more_is_handed_out_than_the_fleet_has_slots(make_ledger: Callable[..., Ledger]) -> None:
    """Celery's list never holds a backlog; without workers it holds nothing."""
    ledger = make_ledger()
    assert () == ledger.accept([span(0, 20)], [entry(f"r_{n}", f"http://t{n}:80") for n in range(20)]).claims
    ledger.heartbeat("worker-1", 3)
    ledger.heartbeat("worker-2", 4)
    assert 7 == len(ledger.pump()[0])
    ledger.heartbeat("worker-2", 0)
    assert ((), ()) == ledger.pump()[:2]


def test_a_rate_is_kept_and_starts_lie_apart(make_ledger: Callable[..., Ledger]) -> None:
    """At 100 a second and a horizon of 200 ms, 20 are handed out, 10 ms apart."""
    ledger = make_ledger(rate=100, target=1000, lane=1000)
    ledger.heartbeat("worker-1", 1000)
    store(ledger, *(entry(f"r_{n}", action=f"a{n % 7}") for n in range(300)))
    claims, _ = ledger.pump()[:2]
    starts = [claim.start_ms for claim in claims]

    assert 20 <= len(starts) <= 22
    assert {10} == {later - sooner for sooner, later in pairwise(starts)}


def test_a_ledger_that_has_rolled_back_says_so_and_stores_nothing(ledger: Ledger) -> None:
    """Redis lost its tail: ingest must read again from where the ledger stands."""
    ledger.accept([span(0, 5)], [], 0)
    behind = ledger.accept([span(9, 10, expected=9)], [entry("r_1", offset=9)])

    assert [5] == [rewind.next for rewind in behind.rewinds]
    assert "" == state(ledger, "r_1")
    assert {("org_1.runs", 0): 5} == read_partition_offsets(ledger, [("org_1.runs", 0), ("org_1.runs", 1)]).next


def test_every_offset_read_is_accounted_for(ledger: Ledger, client: "redis.Redis") -> None:
    """What was read = accepted + repeated + skipped by reason + gaps."""
    ledger.accept([span(0, 10, not_for_agent=3)], [entry("r_1", offset=2), entry("r_2", offset=4)])
    ledger.accept([span(10, 12)], [entry("r_1", offset=10)])
    counters = {k.decode(): int(v) for k, v in client.hgetall(ledger.keys.partition("org_1.runs", 0)).items()}  # type: ignore[union-attr]

    assert {
        "next": 12,
        "read": 12,
        "accepted": 2,
        "repeated_elsewhere": 1,
        "skipped:not_for_agent": 3,
        "gaps": 6,
    } == counters


def test_what_was_refused_on_arrival_is_a_dead_letter_with_its_reason(ledger: Ledger, client: "redis.Redis") -> None:
    """A rotated secret must not cost the runs."""
    store(ledger, entry("r_1", dead="bad_signature"), max_claims=10)

    assert "dead" == state(ledger, "r_1")
    assert client.zscore(ledger.keys.dead, "r_1")
    assert b"bad_signature" == client.hget(ledger.keys.invocation("r_1"), "reason")
    assert ((), ()) == ledger.pump()[:2]


def test_work_given_back_may_start_elsewhere_at_once(ledger: Ledger) -> None:
    """A draining worker returns what it has not begun."""
    store(ledger, entry("r_1"))
    claim = claim_one(ledger)

    assert release_one(ledger, "r_1", claim.token)
    assert not release_one(ledger, "r_1", claim.token)
    assert "r_1" == claim_one(ledger).id


def test_a_begin_whose_answer_was_lost_can_be_taken_back(ledger: Ledger) -> None:
    """Nothing was sent, so it is neither unknown nor an attempt; what has been claimed anew is left alone."""
    store(ledger, entry("r_1"))
    claim = claim_one(ledger)
    begin_one(ledger, "r_1", claim.token)

    assert release_one(ledger, "r_1", claim.token)
    again = claim_one(ledger)
    assert 0 == again.attempts
    begin_one(ledger, "r_1", again.token)
    assert not release_one(ledger, "r_1", claim.token)
    assert "begun" == state(ledger, "r_1")


def test_an_attempt_that_belongs_to_another_lane_moves_there_and_costs_nothing(ledger: Ledger) -> None:
    """The worker's mapping gives another target than ingest's did."""
    store(ledger, entry("r_1"))
    claim = claim_one(ledger)
    begun = begin_one(ledger, "r_1", claim.token)
    assert begun is not None

    assert ledger.defer(begun, "http://b:80", "http://b:80 deploy")
    assert not ledger.defer(begun, "http://b:80", "http://b:80 deploy")
    moved = claim_one(ledger)
    assert ("http://b:80", 0) == (moved.target, moved.attempts)


def test_a_beating_worker_keeps_its_leases_and_a_silent_one_loses_them(ledger: Ledger, client: "redis.Redis") -> None:
    """Only what has begun, and only for the token that began it."""
    store(ledger, entry("r_1"))
    claim = claim_one(ledger)
    begin_one(ledger, "r_1", claim.token)
    lapse(ledger, "r_1")
    ledger.heartbeat("worker-1", 100, [("r_1", claim.token + 1)])
    assert client.zscore(ledger.keys.leases, "r_1") == -1
    ledger.heartbeat("worker-1", 100, [("r_1", claim.token)])
    assert ((), ()) == ledger.pump()[:2]


def test_an_outage_does_not_lapse_everything(ledger: Ledger, client: "redis.Redis") -> None:
    """The lease clock moves at most two seconds a call, and never backwards."""
    store(ledger, entry("r_1"))
    claim_one(ledger)
    now_s, _ = client.time()
    client.hset(ledger.keys.clock, "last", (now_s - 3600) * 1000)
    assert ((), ()) == ledger.pump()[:2]
    client.hset(ledger.keys.clock, "last", (now_s + 3600) * 1000)
    assert ((), ()) == ledger.pump()[:2]


def test_nothing_but_logs_follows_a_closing_report(ledger: Ledger) -> None:
    """A status never replaces a terminal one."""
    store(ledger, entry("r_1", synchronized=True))
    claim = claim_one(ledger)
    begin_one(ledger, "r_1", claim.token)
    finish_one(
        ledger, "r_1", claim.token, AttemptEnd(State.UNKNOWN, "read_timeout", reports=(b"Lno answer", b"SFAILURE"))
    )
    finish_one(
        ledger,
        "r_1",
        claim.token,
        AttemptEnd(State.DONE, "delivered", 200, reports=(b"Ranswer", b"Llate", b"SSUCCESS")),
    )

    (taken,) = ReportOutbox(ledger).lease(10, 60_000)
    assert (b"Lno answer", b"SFAILURE", b"Llate") == taken.items


def test_reports_are_sent_by_one_at_a_time_and_in_order(ledger: Ledger, client: "redis.Redis") -> None:
    """What comes while they are being sent waits for the sender; a lapsed sender drops nothing."""
    store(ledger, entry("r_1", reports=(b"Lreceived",)))
    assert [] == ReportOutbox(ledger).lease(10, 60_000), "first reports wait to be merged"
    claim = claim_one(ledger)
    begin_one(ledger, "r_1", claim.token)
    finish_one(
        ledger, "r_1", claim.token, AttemptEnd(State.WAITING, "http_503", 503, delay_ms=1, reports=(b"Lretrying",))
    )
    (taken,) = ReportOutbox(ledger).lease(10, 60_000)
    assert (b"Lreceived", b"Lretrying") == taken.items
    assert [] == ReportOutbox(ledger).lease(10, 60_000)

    client.zadd(ledger.keys.outbox_leases, {"r_1": -1})
    (again,) = ReportOutbox(ledger).lease(10, 70_000)
    assert not ack_one(ledger, taken)
    assert ack_one(ledger, again, unsent=[b"Lretrying"])
    (rest,) = ReportOutbox(ledger).lease(10, 60_000)
    assert ((b"Lretrying",), 1) == (rest.items, rest.tries)
    assert ack_one(ledger, rest)
    assert [] == ReportOutbox(ledger).lease(10, 60_000)
    assert not client.exists(ledger.keys.outbox_tries)


def test_a_sender_keeps_reports_by_renewing_its_lease(ledger: Ledger, client: "redis.Redis") -> None:
    """So the lease can be short, and what a killed sender had taken does not wait long."""
    store(ledger, entry("r_1", dead="bad_url", reports=(b"Lrefused",)))
    (taken,) = ReportOutbox(ledger).lease(10, 1_000)
    renewed = ReportOutbox(ledger).renew(taken, 60_000)

    assert renewed is not None
    assert not ack_one(ledger, taken), "the token of the first lease is worth nothing any more"
    client.zadd(ledger.keys.outbox_leases, {"r_1": -1})
    assert ReportOutbox(ledger).renew(renewed, 60_000) is None
    (again,) = ReportOutbox(ledger).lease(10, 60_000)
    assert ack_one(ledger, again)


def test_dead_letters_are_dropped_only_when_their_time_is_over(ledger: Ledger, client: "redis.Redis") -> None:
    """Two weeks by default."""
    store(ledger, entry("r_1", dead="malformed"), entry("r_2", dead="malformed"))
    client.zadd(ledger.keys.dead, {"r_1": 1})

    assert (1, 0) == (ledger.prune(), ledger.prune())
    assert ("", "dead") == (state(ledger, "r_1"), state(ledger, "r_2"))


def test_a_full_redis_refuses_new_work_and_takes_the_end_of_old(ledger: Ledger, client: "redis.Redis") -> None:
    """Ends make room, so they must find it."""
    store(ledger, entry("r_1"), entry("r_2"), entry("r_3"))
    claim, other, third = ledger.pump()[0]
    lapse(ledger, third.id)
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(StoreUnavailable):
            ledger.accept([span(3, 4)], [entry("r_4", offset=3)])
        assert begin_one(ledger, claim.id, claim.token) is not None
        assert (
            "done"
            == finish_one(ledger, claim.id, claim.token, AttemptEnd(State.DONE, "delivered", reports=(b"Lone",)))[0]
        )
        assert release_one(ledger, other.id, other.token)
        ledger.heartbeat("worker-1", 100)
        assert ["waiting"] == [one.state for one in ledger.pump()[1]]
        (taken,) = ReportOutbox(ledger).lease(10, 60_000)
        assert ack_one(ledger, taken)
    finally:
        client.config_set("maxmemory", 0)
    assert "" == state(ledger, "r_4")


def test_what_was_in_flight_at_three_deaths_is_suspected_and_what_kills_a_fourth_is_poison(ledger: Ledger) -> None:
    """Claims that lapse do not count; Port hears the end."""
    store(ledger, entry("r_1", unknown_outcome="retry"))
    for deaths in range(4):
        claim_one(ledger)
        lapse(ledger, "r_1")
        claim = claim_one(ledger)
        begun = begin_one(ledger, claim.id, claim.token)
        assert begun is not None
        assert (deaths, deaths + 1) == (begun.deaths, begun.number)
        lapse(ledger, "r_1")
        _, (lapsed,) = ledger.pump(0)[:2]

    assert ("dead", "poison") == (lapsed.state, lapsed.reason)
    (taken,) = ReportOutbox(ledger).lease(10, 60_000)
    assert (b"#poison",) == taken.items


def test_suspects_are_tried_one_per_worker_process_and_hold_up_nobody(ledger: Ledger, client: "redis.Redis") -> None:
    """A hundred innocents in flight at the deaths of others each get their turn, and are cleared by their end."""
    ids = [f"r_{n}" for n in range(6)]
    store(ledger, *(entry(id, f"http://t{n % 2}:80", unknown_outcome="retry") for n, id in enumerate(ids)))
    for _ in range(3):
        for claim in ledger.pump()[0]:
            begin_one(ledger, claim.id, claim.token)
            lapse(ledger, claim.id)
        ledger.pump(0)
    store(ledger, entry("r_new"))

    claims, _ = ledger.pump()[:2]
    assert "r_new" in {claim.id for claim in claims}
    cleared = set()
    while suspects := [claim for claim in claims if claim.id != "r_new"]:
        (claim,) = suspects
        begun = begin_one(ledger, claim.id, claim.token)
        assert begun is not None
        assert 3 == begun.deaths
        cleared.add(claim.id)
        finish_one(ledger, claim.id, claim.token, AttemptEnd(State.WAITING, "http_503", 503, 60_000), max_claims=0)
        for target in ("http://t0:80", "http://t1:80"):  # the second is over in which a full lane is not looked at
            client.zadd(ledger.keys.lanes(target), {f"{target}!suspects": 1}, xx=True)
            client.zadd(ledger.keys.targets, {target: 1})
        claims, _ = ledger.pump()[:2]
    assert set(ids) == cleared
    for id in ids:
        lane = f"http://t{ids.index(id) % 2}:80 deploy".encode()
        assert [None, None, lane] == client.hmget(ledger.keys.invocation(id), "deaths", "home", "lane")


def test_the_age_of_an_invocation_counts_from_its_first_attempt(ledger: Ledger, client: "redis.Redis") -> None:
    """Neither from its acceptance nor from what was put back unsent; a requeue begins anew."""
    store(ledger, entry("r_1"))
    record = ledger.keys.invocation("r_1")

    def began() -> int:
        """Begins; tells when its first attempt was, and then has that a minute earlier."""
        begun = begin_one(ledger, "r_1", claim_one(ledger).token)
        assert begun is not None
        client.hset(record, "first", begun.first_ms - 60_000)
        return begun.first_ms

    client.hset(record, "accepted", 1)
    unsent = began()
    release_one(ledger, "r_1", 1)
    first = began()
    assert 1 < unsent <= first
    finish_one(ledger, "r_1", 2, AttemptEnd(State.WAITING, "http_503", 503), max_claims=0)
    assert first - 60_000 == began()
    finish_one(ledger, "r_1", 3, AttemptEnd(State.DEAD, "http_503", 503))
    ledger.run_script("requeue", b"r_1", "", "", b"note")
    assert first <= began()


def test_what_moves_from_target_to_target_waits_longer_each_time(ledger: Ledger, client: "redis.Redis") -> None:
    """The first move is at once: ingest and worker may differ once. A requeue begins anew."""
    store(ledger, entry("r_1"))
    pauses = []
    for n in range(5):
        begun = begin_one(ledger, "r_1", claim_one(ledger).token)
        assert begun is not None
        assert (n, 1) == (begun.moves, begun.number)
        lane = f"http://t{n}:80 deploy"
        before_ms = ledger.clock_ms()
        ledger.defer(begun, f"http://t{n}:80", lane)
        due_ms = client.zscore(ledger.keys.waiting(lane), "r_1")
        assert isinstance(due_ms, float)
        pauses.append(round((due_ms - before_ms) / 1000))
        target = f"http://t{n}:80"
        for place, name in (
            (ledger.keys.waiting(lane), "r_1"),
            (ledger.keys.lanes(target), lane),
            (ledger.keys.targets, target),
        ):
            client.zadd(place, {name: 1})  # its time comes
    assert [0, 1, 2, 4, 8] == pauses
