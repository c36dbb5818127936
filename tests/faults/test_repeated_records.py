"""The same run in Kafka more than once: delivered once, whoever reads the copy and whenever."""

from __future__ import annotations

import pytest

from tests.faults.conftest import MakeScene
from tests.support.faults_table import SIZE
from tests.support.load import WELL_BEHAVED
from tests.support.scene import BOUND_S

pytestmark = [pytest.mark.real_kafka, pytest.mark.timeout(BOUND_S, func_only=True)]


def test_a_run_published_twice_is_delivered_once(make_scene: MakeScene) -> None:
    """Copies that come while the first is under way, and copies that come after it has ended."""
    scene = make_scene("Kafka: runs published 3 times")
    scene.start_fleet()

    runs = [sent for sent in scene.load.publish(SIZE, WELL_BEHAVED) if sent.run]
    scene.load.publish_again(runs)
    scene.until_settled()
    scene.load.publish_again(runs)
    scene.until(
        lambda: scene.accounts.counts().get("repeated_elsewhere", 0) == 2 * len(runs), "every copy was recognised"
    )
    scene.until_settled()

    accounts = scene.balance()
    assert not [account for account in accounts if account.repeats or account.cut_off]
    assert all((account.state, account.reason) == account.natural_end() for account in accounts)
