"""The steps of a drain: what counts as left, when waiting ends, what is written, and which commits are made."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from longshore.ledger.entry import AttemptEnd
from longshore.ledger.invocations import InvocationReader
from longshore.ledger.partition_offsets import Partition
from longshore.ledger.states import State
from longshore.ledger.unfinished import UnfinishedCounts, count_unfinished
from longshore.operations import drain, leftovers
from longshore.operations.drain import Offsets
from longshore.operations.ledger_access import LedgerAccess
from longshore.operations.steer import steer_target
from tests.integration.ledger.conftest import entry, span
from tests.integration.operations.conftest import end, put
from tests.support.one_claim import begin_one, finish_one

HOUR_MS = 3_600_000
RUNS = ("org_1.runs", 0)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "LOOK_S", 0.01)


def ignore(_: UnfinishedCounts) -> None:
    """Progress that nobody reads."""


def left(access: LedgerAccess) -> dict[str, str]:
    return {each.record.id: each.why for each in leftovers.find_leftovers(access)}


def test_what_is_left_is_named_with_the_reason(access: LedgerAccess) -> None:
    """One for each reason there is, and none for what was delivered and reported."""
    put(access, "dead")
    end(access)
    put(access, "unknown")
    end(access, State.UNKNOWN, "read_timeout")
    put(access, "done")
    end(access, State.DONE, "delivered")
    put(access, "reports", reports=(b"x",))
    end(access, State.DONE, "delivered")
    put(access, "later")
    (claim,) = access.ledger.pump().claims
    begin_one(access.ledger, claim.id, claim.token)
    finish_one(
        access.ledger, claim.id, claim.token, AttemptEnd(State.WAITING, "http_503", 503, attempt=b"", delay_ms=HOUR_MS)
    )
    put(access, "in_flight")
    access.ledger.pump()
    put(access, "waiting", target="http://b:80", lane="http://b:80 deploy")
    steer_target(access, "http://c:80", "deploy", "pause", "dana")
    put(access, "paused", target="http://c:80", lane="http://c:80 deploy")
    access.ledger.accept([], [entry("held", origin="polling/held", ack_after_ms=0)], 0)

    assert left(access) == {
        "dead": "dead",
        "unknown": "unknown",
        "reports": "reports",
        "later": "later",
        "in_flight": "in_flight",
        "waiting": "waiting",
        "paused": "paused",
        "held": "unacknowledged",
    }


def test_waiting_ends_when_nothing_is_unfinished(access: LedgerAccess) -> None:
    """Dead letters have ended."""
    put(access, "a")
    seen = []

    def on_progress(counts: UnfinishedCounts) -> None:
        seen.append(counts.total)
        if len(seen) == 2:
            end(access)

    counts = drain.wait_until_finished(access, time.monotonic() + 60, on_progress)

    assert seen[:2] == [1, 1]
    assert (counts.total, counts.dead) == (0, 1)


def test_waiting_ends_where_only_an_operator_could_go_on(access: LedgerAccess) -> None:
    """What is paused would be waited for without end."""
    steer_target(access, "http://a:80", "", "pause", "dana")
    put(access, "a")

    counts = drain.wait_until_finished(access, time.monotonic() + 60, ignore)

    assert (counts.total, counts.waiting) == (1, {"paused": 1})


def test_waiting_ends_where_a_dead_letter_holds_its_order(access: LedgerAccess) -> None:
    """Somebody has to requeue or discard it."""
    put(access, "failed", "next", order="hold 0a1b")
    end(access)

    counts = drain.wait_until_finished(access, time.monotonic() + 60, ignore)

    assert (counts.total, counts.waiting) == (1, {"order": 1})


def test_waiting_ends_with_the_time(access: LedgerAccess) -> None:
    """With what is left then."""
    put(access, "a")

    assert drain.wait_until_finished(access, time.monotonic(), ignore).total == 1


def test_an_export_has_each_with_its_attempts_and_without_its_payload(access: LedgerAccess, tmp_path: Path) -> None:
    """As `longshore dlq export`, and why it is left."""
    put(access, "a")
    end(access)
    put(access, "b")

    assert leftovers.export_leftovers(access, tmp_path / "left.jsonl") == 2

    lines = [json.loads(line) for line in (tmp_path / "left.jsonl").read_text().splitlines()]
    assert [(line["id"], line["left"], line["origin"]) for line in lines] == [
        ("b", "waiting", "org_1.runs/0/0"),
        ("a", "dead", "org_1.runs/0/0"),
    ]
    assert lines[1]["history"][0]["reason"] == "http_404"
    assert not {"payload"} & set(lines[0])
    assert (tmp_path / "left.jsonl").stat().st_mode & 0o077 == 0


def test_an_export_that_breaks_off_leaves_the_one_before(
    access: LedgerAccess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever finds the file may trust it."""
    path = tmp_path / "left.jsonl"
    put(access, "a", "b")
    leftovers.export_leftovers(access, path)
    before = path.read_text()

    def break_off(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(InvocationReader, "histories", break_off)
    with pytest.raises(KeyboardInterrupt):
        leftovers.export_leftovers(access, path)

    assert path.read_text() == before


class MemoryGroup:
    """A group whose members, if it has any, commit with the second look."""

    def __init__(self, committed: int | None, *, has_members: bool) -> None:
        self.committed = committed
        self.has_members = has_members
        self.looks = 0
        self.commits: list[Mapping[Partition, int]] = []

    def read(self) -> Offsets:
        self.looks += 1
        if self.has_members and self.looks > 1:
            self.committed = 3
        return {RUNS: self.committed, ("org_1.change.log", 0): None}

    def commit(self, offsets: Mapping[Partition, int]) -> bool:
        if self.has_members:
            return False
        self.commits.append(offsets)
        self.committed = offsets[RUNS]
        return True


@pytest.mark.parametrize("committed", [None, 0, 2])
def test_what_no_ingest_is_left_to_commit_is_committed(access: LedgerAccess, committed: int | None) -> None:
    """Up to what the ledger has accepted, and only there: a partition that it has never read stays as it is."""
    access.ledger.accept([span(0, 3)], [entry("a")])
    group = MemoryGroup(committed, has_members=False)

    ends = drain.settle_commits(access, group, time.monotonic() + 60)

    assert group.commits == [{RUNS: 3}]
    assert [(end.partition, end.committed) for end in ends] == [(("org_1.change.log", 0), None), (RUNS, 3)]
    assert all(end.is_settled for end in ends)


def test_the_commits_of_members_are_waited_for(access: LedgerAccess) -> None:
    """Ingest commits seconds after it has stored."""
    access.ledger.accept([span(0, 3)], [entry("a")])
    group = MemoryGroup(1, has_members=True)

    ends = drain.settle_commits(access, group, time.monotonic() + 60)

    assert all(end.is_settled for end in ends)


def test_a_commit_beyond_the_ledger_is_never_set_back(access: LedgerAccess) -> None:
    """The original has read on since, or the ledger has lost its end."""
    access.ledger.accept([span(0, 3)], [entry("a")])
    group = MemoryGroup(9, has_members=False)

    drain.settle_commits(access, group, time.monotonic() + 60)

    assert (group.committed, group.commits) == (9, [])


def test_requeue_jobs_that_go_on_are_waited_for(access: LedgerAccess) -> None:
    """They bring back what had ended."""
    access.ledger.redis.zadd(access.ledger.keys.jobs, {"j": 1})

    assert count_unfinished(access.ledger).total == 1


def test_names_with_wildcards_find_only_their_own(access: LedgerAccess) -> None:
    """The names of other agents in the same Redis may match a pattern of ours."""
    put(access, "a")
    access.ledger.redis.zadd("longshore:{other}:wait:x", {"theirs": 1})

    assert list(left(access)) == ["a"]
