"""The `delivery` section of a mapping is taken as it stands, or the start fails and says what is wrong where."""

import json
from typing import Any

import pytest

from longshore.invocation.delivery_options import DeliveryOptions
from longshore.invocation.delivery_section import KEYS
from longshore.invocation.idempotency_section import IdempotencyOptions
from longshore.invocation.mapping.schema import Findings, read
from longshore.invocation.order_section import OrderOptions
from longshore.invocation.tls_section import TlsOptions


def section(value: Any) -> tuple[DeliveryOptions, list[str]]:
    """The section of the second entry of a file, and what is wrong with the file."""
    findings = Findings()
    entries = read(json.dumps([{}, {"delivery": value}]).encode(), findings)
    return entries[1].delivery, findings.problems


def test_every_key_is_taken() -> None:
    """Whole numbers may be written with a point, as JSON has only one kind."""
    retry = {"max_attempts": 3.0, "base_s": 0.5, "max_s": 60, "max_age_s": 600}
    delivery_section = {
        "target": "deployer",
        "timeout": 90,
        "retry": retry,
        "rate": 2.5,
        "concurrency": 4,
        "unknown": "retry",
    }
    expected = DeliveryOptions("deployer", 90, 3, 0.5, 60, 600, 2.5, 4, "retry")

    assert (expected, []) == section(delivery_section)


def test_tls_names_files() -> None:
    """Whether they are there is found out by what uses them."""
    files = {"certificate": "/c/tls.crt", "key": "/c/tls.key", "key_password_file": "/c/pw", "ca": "/c/ca.crt"}

    expected = TlsOptions("/c/tls.crt", "/c/tls.key", "/c/pw", "/c/ca.crt")

    assert (DeliveryOptions(tls=expected), []) == section({"tls": {**files, "verify": None}})
    assert ["mapping 1, delivery, tls has the unknown key 'verfy'; did you mean 'verify'?"] == section(
        {"tls": {"verfy": False}}
    )[1]


@pytest.mark.parametrize(
    "value", [None, {}, {"rate": None, "retry": None, "target": None}, {"retry": {"base_s": None}}]
)
def test_what_is_left_out_or_null_is_left_to_the_settings(value: Any) -> None:
    """All of it may be."""
    assert (DeliveryOptions(), []) == section(value)


@pytest.mark.parametrize(
    ("value", "order"),
    [
        (".payload.context.entity", OrderOptions(".payload.context.entity")),
        ({"key": ".action", "behind_dead": "hold"}, OrderOptions(".action", "hold")),
    ],
)
def test_an_order_is_a_key_or_an_object(value: Any, order: OrderOptions) -> None:
    """Behind a dead letter the others go on unless it says otherwise."""
    assert (DeliveryOptions(order=order), []) == section({"order": value})


@pytest.mark.parametrize(
    ("value", "policy"),
    [
        ({"idempotent": True}, "retry"),
        ({"idempotent": False}, "park"),
        ({"idempotent": True, "unknown": "park"}, "park"),
        ({"idempotent": False, "unknown": "retry"}, "retry"),
    ],
)
def test_a_target_that_takes_repeats_is_sent_unknowns_again(value: Any, policy: str) -> None:
    """Unless `policy` says otherwise."""
    assert policy == section(value)[0].unknown_outcome


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([], "delivery is a list, not an object"),
        ({"tiemout": 3}, "delivery: unknown key 'tiemout'; did you mean 'timeout'?"),
        ({"Rate": 3}, "delivery: unknown key 'Rate'; did you mean 'rate'?"),
        ({"zzz": 1}, f"delivery: unknown key 'zzz'; known are {', '.join(KEYS)}"),
        ({"retry": {"maxAttempts": 3}}, "delivery, retry: unknown key 'maxAttempts'; did you mean 'max_attempts'?"),
        ({"retry": 3}, "delivery, retry is a number, not an object"),
        ({"order": ""}, "delivery, order is empty; give a jq expression, e.g. .payload.context.entity"),
        ({"order": 3}, "delivery, order is a number, not a text"),
        (
            {"order": {"behind_dead": "hold"}},
            "delivery, order has no key: give the jq expression that all of one order have in common",
        ),
        (
            {"order": {"key": ".a", "behind": "hold"}},
            "delivery, order has the unknown key 'behind'; did you mean 'behind_dead'?",
        ),
        (
            {"order": {"key": ".a", "behind_dead": "stop"}},
            "delivery, order behind_dead is 'stop'; known are go_on, hold",
        ),
        ({"retry": {"max_attempts": 0}}, "delivery, retry, max_attempts is 0; give a whole number from 1 to 1000000"),
        ({"retry": {"max_s": 0}}, "delivery, retry, max_s is 0; give 0.001 to 31536000"),
        ({"target": " a"}, "delivery, target is no name; give 1 to 200 characters without spaces, e.g. deployer"),
        ({"target": 1}, "delivery, target is a number, not a text"),
        ({"timeout": "30"}, "delivery, timeout is a text, not a number"),
        ({"timeout": 0}, "delivery, timeout is 0; give 0.001 to 86400"),
        ({"rate": -1}, "delivery, rate is -1; give 0 for no limit, or 0.001 to 1000000"),
        ({"rate": True}, "delivery, rate is a boolean, not a number"),
        ({"concurrency": 1.5}, "delivery, concurrency is 1.5; give a whole number from 1 to 1000000"),
        ({"concurrency": 10**400}, f"delivery, concurrency is 1{'0' * 19}...; give a whole number from 1 to 1000000"),
        ({"unknown": "keep"}, "delivery, unknown is neither 'park' (keep it for a person to decide) nor 'retry'"),
        ({"signature": True}, "delivery, signature is a boolean, not an object"),
        (
            {"signature": {"standard-webhooks": 1}},
            "delivery, signature has the unknown key 'standard-webhooks'; did you mean 'standard_webhooks'?",
        ),
        (
            {"idempotency": {"header": True, "fresh_on_requeue": "yes"}},
            "delivery, idempotency header is a boolean; give the name of a header, or false for none; "
            "fresh_on_requeue is a text, not true or false",
        ),
        (
            {"idempotency": {"header": "X-Port-Signature"}},
            "delivery, idempotency header is a header with a meaning of its own; "
            "give another, e.g. Idempotency-Key, or false for none",
        ),
        ({"idempotent": "yes"}, "delivery, idempotent is a text, not true or false"),
    ],
)
def test_what_is_wrong_is_named(value: Any, problem: str) -> None:
    """With the entry and the key: a misspelt limit would be no limit."""
    assert (DeliveryOptions(), [f"mapping 1, {problem}"]) == section(value)


@pytest.mark.parametrize(("header", "name"), [("X-Run", "X-Run"), (False, ""), (None, None)])
def test_signature_and_idempotency_have_sections_of_their_own(header: Any, name: str | None) -> None:
    """No header is something else than what the settings say."""
    value = {"signature": {"standard_webhooks": True}, "idempotency": {"header": header, "fresh_on_requeue": True}}
    idempotency = IdempotencyOptions(name, is_fresh_on_requeue=True)

    assert (DeliveryOptions(standard_webhooks=True, idempotency=idempotency), []) == section(value)


def test_a_number_that_is_none_is_refused() -> None:
    """JSON's own spelling of what no float holds."""
    findings = Findings()
    read(b'[{"delivery": {"rate": 1e999}}]', findings)

    assert ["mapping 0, delivery, rate is 1e999; give 0 for no limit, or 0.001 to 1000000"] == findings.problems


def test_all_of_it_is_said_at_once() -> None:
    """Not one start for each mistake."""
    assert 3 == len(section({"rate": -1, "concurrency": 0, "retry": {"x": 1}})[1])
