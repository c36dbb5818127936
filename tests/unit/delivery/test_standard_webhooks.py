"""Receivers check the second signature with the specification's own library."""

import time
from base64 import b64encode

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from longshore.delivery.request import prepare
from longshore.delivery.request_identity import RequestIdentity
from longshore.delivery.standard_webhooks import BadWebhookSecret, WebhookSigner, parse_secret
from longshore.invocation.delivery_options import DeliveryOptions
from longshore.invocation.idempotency_section import IdempotencyOptions
from tests.support.posting import SECRET, Post

OLD, NEW = ("whsec_" + b64encode(letter * 32).decode() for letter in (b"o", b"n"))
BODY = '{"city":"Z\\u00fcrich"}'


def test_the_example_of_the_specification_is_met() -> None:
    """Identifier, time, body and secret as it has them."""
    signer = WebhookSigner(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])

    headers = signer.build_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', 1614265330.9)

    assert {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    } == headers


@pytest.mark.parametrize("body", [BODY.encode(), None])
@pytest.mark.parametrize("secret", [OLD, NEW])
def test_during_a_rotation_receivers_may_have_either_secret(secret: str, body: bytes | None) -> None:
    """A request without a body is signed as an empty one; somebody else's secret does not do."""
    headers = WebhookSigner([NEW, OLD]).build_headers("r_1", body, time.time())

    Webhook(secret).verify(body or b"", headers, json_parse=False)
    with pytest.raises(WebhookVerificationError, match="No matching"):
        Webhook(b"x" * 32).verify(body or b"", headers, json_parse=False)


def test_the_separator_of_what_is_signed_is_in_no_id() -> None:
    """As the id of a change log event would have it; the receiver is told the id that was signed."""
    headers = WebhookSigner([NEW]).build_headers("cl.t.0.7", b"{}", time.time())

    assert "cl:t:0:7" == headers["webhook-id"]
    Webhook(NEW).verify("{}", headers)


@pytest.mark.parametrize(
    "text", ["", "whsec_", NEW.removeprefix("whsec_"), "whsec_" + b64encode(b"x" * 23).decode(), NEW[:-1], NEW + "!"]
)
def test_a_secret_is_one_of_the_specification(text: str) -> None:
    """Prefix, base64, and 24 to 64 bytes; the error does not quote it."""
    with pytest.raises(BadWebhookSecret) as caught:
        parse_secret(text)
    assert "" == str(caught.value)


def test_both_signatures_go_out_over_mapped_headers_of_their_names() -> None:
    """Port's signature stays as it was, and a mapping cannot put another id under ours."""
    sign = RequestIdentity("", has_standard_webhooks=True).choose_signature(WebhookSigner([NEW]), "r_1")
    post = Post("http://a/", BODY, headers={"Webhook-Id": "mine", "X-Port-Signature": "mine"})
    now = time.time()

    headers = {name.lower(): str(value) for name, value in prepare(post, {}, SECRET, now, sign).headers.items()}
    without = prepare(post, {}, SECRET, now).headers

    assert "r_1" == headers["webhook-id"]
    assert without["X-Port-Signature"] == headers["x-port-signature"]
    Webhook(NEW).verify(BODY, headers)


def test_the_mapping_says_what_names_an_invocation() -> None:
    """What it leaves out is as the settings have it; without a secret there is nothing to sign with."""
    settings = RequestIdentity("Idempotency-Key", has_standard_webhooks=True)
    plain, other, none = (
        settings.with_overrides(DeliveryOptions(standard_webhooks=standard, idempotency=idempotency))
        for standard, idempotency in (
            (None, None),
            (False, IdempotencyOptions("X-Run", is_fresh_on_requeue=True)),
            (None, IdempotencyOptions("")),
        )
    )
    assert [{"Idempotency-Key": "r_1"}, {"X-Run": "r_1"}, {}] == [
        each.build_headers("r_1") for each in (plain, other, none)
    ]
    assert [True, False, True] == [
        each.choose_signature(WebhookSigner([NEW]), "r_1") is not None for each in (plain, other, none)
    ]
    assert plain.choose_signature(None, "r_1") is None


def test_only_where_it_is_wanted_has_a_requeue_another_key() -> None:
    """By default a target that remembers keys does not do it twice."""
    fresh = RequestIdentity("Idempotency-Key", is_fresh_on_requeue=True)

    assert ["r_1", "r_1"] == [RequestIdentity("Idempotency-Key").build_key("r_1", number) for number in (1, 2)]
    assert ["r_1", "r_1~2", "r_1~3"] == [fresh.build_key("r_1", number) for number in (1, 2, 3)]
