"""What people and programs ask for, and how invalid requests are refused."""

from typing import Any

import pytest

from longshore.dashboard.access_roles import AccessRole, User
from longshore.dashboard.request_params import BadRequest, ParsedFilter, parse_number, parse_requeue
from longshore.ledger.filter_parsing import time_ms

ANN = User("ann", AccessRole.OPERATOR)


def parse(**fields: str) -> ParsedFilter:
    return ParsedFilter.parse(lambda name: fields.get(name, ""))


def test_a_filter_keeps_its_fields_for_links() -> None:
    """A link changes one of them."""
    result = parse(target="http://a:80", reason="http_500", text=" x & y ")

    assert ("http://a:80", "http_500", "x & y") == (result.filter.target, result.filter.reason, result.filter.text)
    assert "reason=http_404&target=http%3A%2F%2Fa%3A80&text=x+%26+y" == result.to_query(reason="http_404")


@pytest.mark.parametrize("fields", [{"state": "done"}, {"kind": "x"}, {"since": "soon"}, {"text": "x" * 3000}])
def test_an_invalid_filter_is_refused(fields: dict[str, str]) -> None:
    """It would otherwise take everything."""
    with pytest.raises(BadRequest):
        parse(**fields)


@pytest.mark.parametrize("text", ["2026-01-31", "2026-01-31T12:00", "2026-01-31T12:00:00.5+02:00", "5m", "100d"])
def test_times_are_iso_or_a_span(text: str) -> None:
    """Both become ms since 1970."""
    assert 1_000_000_000_000 < time_ms(text)


@pytest.mark.parametrize("why", ["", "  ", None, 7, "x" * 501])
def test_a_requeue_needs_a_reason(why: Any) -> None:
    """It is what the next person on call reads."""
    with pytest.raises(BadRequest):
        parse_requeue(ANN, {"why": why}.get)


def test_a_requeue_takes_forms_and_json_alike() -> None:
    """Texts and numbers."""
    form = parse_requeue(ANN, {"why": "fixed", "rate": "2.5", "canary": "3", "replay": "1"}.get)

    assert ("ann", "operator") == (form.actor, form.role)
    assert form == parse_requeue(ANN, {"why": "fixed", "rate": 2.5, "canary": 3, "replay": True}.get)
    assert (50, 0, False) == (
        (request := parse_requeue(ANN, {"why": "fixed"}.get)).rate,
        request.canary,
        request.replay,
    )


@pytest.mark.parametrize("value", ["nan", "inf", "-1", -1, True, [], "1e400", "x"])
def test_numbers_are_checked(value: Any) -> None:
    """They go into scripts."""
    with pytest.raises(BadRequest):
        parse_number(value, "rate", 1)
