"""What names an invocation is the same at each of its attempts, and another one after a requeue only if asked for."""

from base64 import b64encode

import redis
from standardwebhooks.webhooks import Webhook

from longshore.ledger.requeue import RequeueRequest
from longshore.operations.ledger_access import LedgerAccess
from tests.support.hostile import HostileTarget, answering
from tests.support.one_attempt import AttemptHarness, attempt_harness

BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
KEY, OLD_KEY = ("whsec_" + b64encode(letter * 32).decode() for letter in (b"n", b"o"))


def send_again(stage: AttemptHarness, id: str) -> None:
    access = LedgerAccess.build(stage.ledger, stage.sealer)
    record = access.invocations.get(id)
    assert record is not None
    assert access.requeue.requeue_one(record, RequeueRequest("ann", "it is back", rate=0)).startswith("requeued")
    (claim,) = stage.receive()
    claim.wait()


def test_a_repeat_has_the_id_of_the_first_attempt_and_a_requeue_a_fresh_one(redis_client: "redis.Redis") -> None:
    """The receiver's library takes all of them, with the secret of now and the one before; each is signed anew."""
    fresh = {"delivery": {"idempotency": {"header": "X-Run", "fresh_on_requeue": True}, "retry": {"max_attempts": 2}}}
    with (
        HostileTarget(answering(BUSY)) as target,
        attempt_harness(
            redis_client, entries=[fresh], STANDARD_WEBHOOKS_SECRET=KEY, STANDARD_WEBHOOKS_SECRET_PREVIOUS=OLD_KEY
        ) as stage,
    ):
        id, _ = stage.run(target.url(), max_attempts=2)
        keys, lane = stage.ledger.keys, stage.record(id, "lane")
        for place, name in (
            (keys.waiting(lane), id),
            (keys.lanes(stage.record(id, "target")), lane),
            (keys.targets, stage.record(id, "target")),
        ):
            redis_client.zadd(place, {name: 1})  # the time of its retry comes
        (claim,) = stage.receive()
        claim.wait()
        send_again(stage, id)

    ids = [(request.header("X-Run"), request.header("webhook-id")) for request in target.received]
    assert [(id, id), (id, id), (f"{id}~2", f"{id}~2")] == ids
    for request in target.received:
        assert request.header("Idempotency-Key") is None
        for secret in (KEY, OLD_KEY):
            Webhook(secret).verify(request.body, dict(request.headers))


def test_by_default_the_id_stays_and_nothing_is_signed_twice(redis_client: "redis.Redis") -> None:
    """Also where there is a secret, if the mapping says so."""
    refused = b"HTTP/1.1 422 No\r\nContent-Length: 0\r\n\r\n"
    entries = [{"delivery": {"signature": {"standard_webhooks": False}}}]
    with (
        HostileTarget(answering(refused)) as target,
        attempt_harness(redis_client, entries=entries, STANDARD_WEBHOOKS_SECRET=KEY) as stage,
    ):
        id, _ = stage.run(target.url())
        send_again(stage, id)

    assert [id, id] == [request.header("Idempotency-Key") for request in target.received]
    assert [None, None] == [request.header("webhook-signature") for request in target.received]
