"""The waits Port asks for."""

import pytest

from longshore.errors import PortUnavailable
from longshore.port.rate_limit_pause import MAX_WAIT_S, Pause, parse_wait_s
from tests.support.port_clock import Clock

NOW = 1_767_225_600.0


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "Thu, 01 Jan 2026 00:00:30 GMT"}, 30),
        ({"Retry-After": "Thu, 01 Jan 2026 00:00:30"}, 30),
        ({"Retry-After": "Thu, 01 Jan 2026 02:00:30 GMT", "Date": "Thu, 01 Jan 2026 02:00:00 GMT"}, 30),
        ({"x-ratelimit-reset": "42"}, 42),
        ({"x-ratelimit-reset": "1767225660"}, 60),
        ({"x-ratelimit-reset": "1767225660000"}, 60),
        ({"x-ratelimit-reset": "1767225000"}, 0),
        ({"Retry-After": "5", "x-ratelimit-reset": "42"}, 5),
        ({"Retry-After": "soon", "x-ratelimit-reset": "42"}, 42),
        ({"Retry-After": "999999"}, MAX_WAIT_S),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "1e9"}, None),
        ({"Retry-After": "nan"}, None),
        ({}, None),
    ],
)
def test_both_headers_are_understood(headers: dict[str, str], wait: float | None) -> None:
    """Seconds, a date, an epoch or seconds left; what cannot be read is as if it were not there."""
    assert wait == parse_wait_s(headers, NOW)


def test_a_pause_holds_everybody_and_ends() -> None:
    """A longer one is never shortened by a shorter one."""
    clock = Clock()
    pause = Pause(clock)
    pause.check()
    pause.close(10, "slow down")
    pause.close(2, "again")

    clock.now += 4
    with pytest.raises(PortUnavailable) as caught:
        pause.check()
    assert caught.value.retry_after_s == pytest.approx(6)
    clock.now += 7
    pause.check()
