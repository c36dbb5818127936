"""What makes a program alive or ready, and how it says why it is not."""

import pytest

from longshore.telemetry.health import CheckResult, Health, HealthVerdict, LoopHeartbeat


def test_it_is_ready_only_if_it_is_alive() -> None:
    """Whoever makes no progress cannot be relied on."""
    health = Health()
    health.alive_if("loop", lambda: CheckResult(False, "it stands still"))
    health.ready_if("redis", lambda: CheckResult(True, "Redis answers"))

    assert not health.ready().ok
    assert ["loop: it stands still"] == health.ready().json()["why"]


def test_a_missing_dependency_does_not_kill() -> None:
    """Restarting would not bring it back."""
    health = Health()
    health.alive_if("loop", lambda: CheckResult(True, "it turns"))
    health.ready_if("redis", lambda: CheckResult(False, "Redis is away"))

    assert health.live().ok
    assert not health.ready().ok


def test_a_loop_is_alive_as_long_as_it_turns() -> None:
    """A turn within its limit is enough."""
    now = 0.0
    heartbeat = LoopHeartbeat("the loop", 10, clock=lambda: now)
    now = 10.0
    assert heartbeat.check().ok
    now = 10.1
    assert not heartbeat.check().ok
    assert "the loop has not turned for 10 s" == heartbeat.check().text
    heartbeat.beat()
    assert heartbeat.check().ok


def test_what_is_told_is_what_is_read() -> None:
    """A supervisor hears the same as a probe."""
    verdict = HealthVerdict({"a": CheckResult(True, "well"), "b": CheckResult(False, "not well")})

    assert verdict == HealthVerdict.parse(verdict.json())


@pytest.mark.parametrize("told", [None, [], {}, {"checks": 1}, {"checks": {"a": 1}}])
def test_a_foreign_answer_is_none_of_health(told: object) -> None:
    """Somebody else may listen at that port."""
    with pytest.raises(ValueError, match="health"):
        HealthVerdict.parse(told)
