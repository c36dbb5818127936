"""Two versions of the programs on one Redis, under load: nothing is lost, and nothing dies of its format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from longshore.log import events
from tests.faults.conftest import MakeScene
from tests.support.accounts import Account
from tests.support.faults_table import SIZE
from tests.support.fleet import Member
from tests.support.load import WELL_BEHAVED, Sent
from tests.support.scene import BOUND_S, EXIT_BOUND_S, Scene
from tests.support.versions import next_version, this_version, version_of

pytestmark = [pytest.mark.real_kafka, pytest.mark.timeout(BOUND_S, func_only=True)]

LOAD: Mapping[str, int] = {**WELL_BEHAVED, "flaky": 20}
SHARE = max(60, SIZE // 10)
"""Invocations of each step."""
LEASE_S = "10"
"""Long enough for workers that beat late on a busy machine: who counts as gone is not asked what it reads."""
NEW = "4"
"""The format that only the next version reads and writes."""
BEFORE_FORMATS = "a302432"
"""A commit whose workers announce no formats."""


def formats(scene: Scene, sent: Sequence[Sent]) -> Counter[str]:
    """In which formats the records of `sent` are."""
    with scene.accounts.redis.pipeline(transaction=False) as pipe:
        for each in sent:
            pipe.hget(scene.keys.invocation(each.id), "format")
        found: list[Any] = pipe.execute()
    return Counter(str(format) for format in found)


def publish(scene: Scene) -> list[Sent]:
    """More of the load; returns when all of it is in the ledger."""
    sent = scene.load.publish(SHARE, LOAD)
    scene.until(lambda: not scene.accounts.missing(sent), "all is in the ledger")
    return sent


def wait_ready(*members: Member) -> None:
    """Wait until all of them work."""
    for member in members:
        member.wait_ready()


def end(*members: Member) -> None:
    """SIGTERM, as a rollout does."""
    for member in members:
        member.ask_to_end()
    for member in members:
        code, _ = member.wait_end(2 * EXIT_BOUND_S)
        assert code == 0, f"{member.name} ended with code {code}"


def settle(scene: Scene) -> list[Account]:
    """The accounts once everything has ended, each as its target leads to, and reached once."""
    scene.until_settled()
    accounts = scene.balance()
    assert not [each for each in accounts if (each.state, each.reason) != each.natural_end()]
    assert not [each for each in accounts if each.repeats or each.cut_off]
    return accounts


@pytest.mark.parametrize("newer", ["ingest", "worker"])
def test_either_program_may_be_the_newer_one(make_scene: MakeScene, tmp_path: Path, newer: str) -> None:
    """What the older one cannot read is not written."""
    scene = make_scene(f"next version of {newer} only", LEASE_S=LEASE_S)
    this, following = this_version(), next_version(tmp_path / "next")
    wait_ready(
        (following if newer == "worker" else this).start(scene.fleet, "worker"),
        (following if newer == "ingest" else this).start(scene.fleet, "ingest"),
    )

    publish(scene)

    settle(scene)
    assert NEW not in formats(scene, scene.load.sent)


def test_a_fleet_changes_its_version_and_changes_back(make_scene: MakeScene, tmp_path: Path) -> None:
    """The new format comes with the last old worker's end and goes with the first one's return."""
    scene = make_scene("next version, and back", LEASE_S=LEASE_S)
    this, following = this_version(), next_version(tmp_path / "next")
    old = [this.start(scene.fleet, "worker"), this.start(scene.fleet, "worker")]
    old_ingest = this.start(scene.fleet, "ingest")
    wait_ready(*old, old_ingest)
    publish(scene)

    new_ingest = following.start(scene.fleet, "ingest")
    new = [following.start(scene.fleet, "worker"), following.start(scene.fleet, "worker")]
    wait_ready(*new, new_ingest)
    end(old_ingest)
    mixed = publish(scene)
    end(*old)
    assert NEW not in formats(scene, mixed)
    scene.until(lambda: NEW in formats(scene, publish(scene)), "the next format is written")

    returned = this.start(scene.fleet, "worker").wait_ready()
    scene.until(lambda: NEW not in formats(scene, publish(scene)), "the old format is written again")
    this.start(scene.fleet, "ingest").wait_ready()
    end(new_ingest, new[0])
    publish(scene)
    # The last that reads the newer format stays until none of it is left.
    settle(scene)
    end(new[1])
    publish(scene)

    settle(scene)
    assert returned.attempts()
    assert not scene.fleet.log_lines(events.DELIVERY_DECLINED.name)


def test_what_no_worker_reads_waits_and_holds_nothing_up(make_scene: MakeScene, tmp_path: Path) -> None:
    """A fleet that went back too quickly: the newer records cost no attempt and are delivered when they can be read."""
    scene = make_scene("older version too early", LEASE_S=LEASE_S)
    this, following = this_version(), next_version(tmp_path / "next")
    worker, ingest = following.start(scene.fleet, "worker"), following.start(scene.fleet, "ingest")
    wait_ready(worker, ingest)
    first = publish(scene)
    scene.until(lambda: NEW in formats(scene, first + publish(scene)), "the next format is written")
    scene.load.publish(SHARE, {"slow": 1})
    scene.until_busy(worker)
    end(worker)
    stuck = scene.accounts.unfinished(scene.load.sent)
    assert NEW in formats(scene, stuck)
    before = {each.sent.id: each.attempts for each in scene.accounts.of(stuck)}

    this.start(scene.fleet, "worker")
    own = publish(scene)
    scene.until(lambda: not scene.accounts.unfinished(own), "what this version reads is delivered")
    scene.until(lambda: scene.accounts.redis.zcard(scene.keys.unreadable), "the others are known to wait")
    scene.until(lambda: formats(scene, scene.accounts.unfinished(stuck)).keys() == {NEW}, "only the others are left")
    remaining = scene.accounts.unfinished(stuck)
    assert all(each.attempts == before[each.sent.id] for each in scene.accounts.of(remaining))

    following.start(scene.fleet, "worker")
    settle(scene)
    end(ingest)


def test_a_version_that_announces_no_formats_takes_part(make_scene: MakeScene, tmp_path: Path) -> None:
    """From before announcements to the next version and back, under load."""
    scene = make_scene(f"commit {BEFORE_FORMATS}, and back", LEASE_S=LEASE_S)
    before = version_of(BEFORE_FORMATS, tmp_path / "before")
    if before is None:
        pytest.skip(f"commit {BEFORE_FORMATS} is not in this clone")
    following = next_version(tmp_path / "next")
    old = [before.start(scene.fleet, "worker"), before.start(scene.fleet, "ingest")]
    wait_ready(*old)
    publish(scene)
    new = [following.start(scene.fleet, "worker"), following.start(scene.fleet, "ingest")]
    wait_ready(*new)
    publish(scene)
    end(old[1])
    publish(scene)

    assert formats(scene, scene.load.sent).keys() == {"1"}
    end(new[1])
    before.start(scene.fleet, "ingest").wait_ready()
    publish(scene)
    settle(scene)
