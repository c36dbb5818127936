"""What a server asks for with Retry-After."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.network.retry_after import retry_after_s

NOW = 1_767_225_600.0  # 1 January 2026, 0:00 UTC


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": " 120 "}, 120),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "1e9"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "²"}, None),
        ({"Retry-After": "Thu, 01 Jan 2026 00:01:00 GMT"}, 60),
        ({"Retry-After": "Thu, 01 Jan 2026 00:01:00"}, 60),
        ({"Retry-After": "Wed, 31 Dec 2025 00:00:00 GMT"}, 0),
        ({"Retry-After": "Thu, 01 Jan 2026 02:00:30 GMT", "Date": "Thu, 01 Jan 2026 02:00:00 GMT"}, 30),
        ({"Retry-After": "Thu, 01 Jan 2026 00:01:00 GMT", "Date": "noon"}, 60),
        ({"Retry-After": "Thu, 99 Jan 99999 00:01:00 GMT"}, None),
    ],
)
def test_seconds_and_dates_are_understood(headers: dict[str, str], wait_s: float | None) -> None:
    """A date is taken against the server's own clock where it tells it."""
    assert wait_s == retry_after_s(headers, NOW)


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_is_an_error(value: str, date: str) -> None:
    """The server writes it."""
    wait_s = retry_after_s({"Retry-After": value, "Date": date}, NOW)

    assert 0 <= (wait_s or 0)
