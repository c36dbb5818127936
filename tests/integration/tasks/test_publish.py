"""What the publisher puts into Celery's lists: messages as Celery and kombu would build them, many claims in each."""

import base64
import json
from typing import Any

import pytest
import redis

from config.settings import load
from longshore.ledger.entry import Claim
from longshore.runtime.embedded_redis import EmbeddedRedis
from tasks.celery import transport
from tasks.celery.app import make_app
from tasks.celery.names import DELIVER
from tasks.celery.publish import Publisher
from tests.support.programs import SETTINGS


@pytest.fixture
def app(shared_redis: EmbeddedRedis) -> Any:
    return make_app(load({**SETTINGS, "REDIS_URL": shared_redis.url}))


def claims(count: int, format: int) -> list[Claim]:
    return [Claim(f"r_{n}", n + 1, 1000 + n, "https://t", 2, 2, format) for n in range(count)]


def messages(app: Any, redis_client: "redis.Redis", queue: str) -> list[Any]:
    """The elements of a list, in the order in which workers take them."""
    key = app.conf.broker_transport_options["global_keyprefix"] + queue
    elements: Any = redis_client.lrange(key, 0, -1)
    return [json.loads(element) for element in reversed(elements)]


def body(message: Any) -> Any:
    return json.loads(base64.b64decode(message["body"]))


@pytest.mark.parametrize("format", [1, 2])
def test_a_single_claim_lies_there_as_celery_would_have_built_it(
    app: Any, redis_client: "redis.Redis", format: int
) -> None:
    """Workers of the version before take it with Celery's own strategy."""
    (claim,) = claims(1, format)
    queue = "deliver" if format == 1 else "deliver.2"
    Publisher(app).publish([claim])
    task = app.amqp.create_task_message(
        "r_0~2",
        DELIVER,
        ("r_0", 1, 1000),
        {},
        retries=2,
        shadow="deliver https://t",
        argsrepr="('r_0',)",
        kwargsrepr="{}",
    )
    with app.connection_for_write() as connection:
        app.amqp.Producer(connection).publish(
            task.body, exchange="", routing_key=queue, serializer="json", headers=task.headers, **task.properties
        )
    ours, celerys = messages(app, redis_client, queue)
    assert len(ours["properties"].pop("delivery_tag")) == len(celerys["properties"].pop("delivery_tag"))
    assert body(ours) == body(celerys)
    assert celerys | {"body": ""} == ours | {"body": ""}


def test_claims_of_a_new_format_share_messages(app: Any, redis_client: "redis.Redis") -> None:
    """Up to twenty, and as many messages as there are workers, as last known; its id is no invocation's."""
    publisher = Publisher(app)
    publisher.publish(claims(50, 3))
    publisher.publish(claims(9, 3), 3)
    publisher.publish([*claims(2, 3), *claims(2, 2)])
    publisher.close()
    many, single = messages(app, redis_client, "deliver.3"), messages(app, redis_client, "deliver.2")
    assert [20, 20, 10, 3, 3, 3, 1, 1] == [len(body(message)[0][0]) for message in many]
    assert 2 == len(single)
    assert [["r_0", 1, 1000, "https://t", 2, 2]] == body(many[0])[0][0][:1]
    ids = [message["headers"]["id"] for message in many]
    assert len(set(ids)) == len(ids)
    assert not [id for id in ids[:6] if id.startswith("r_")]
    assert len({message["properties"]["delivery_tag"] for message in many}) == len(many)


def test_a_claim_alone_has_its_invocations_id(app: Any, redis_client: "redis.Redis") -> None:
    """Whoever looks into the list finds it."""
    Publisher(app).publish(claims(1, 3))
    (message,) = messages(app, redis_client, "deliver.3")
    assert "r_0~2" == message["headers"]["id"]


def test_more_messages_than_one_command_takes(
    app: Any, redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, whatever a command takes."""
    monkeypatch.setattr(transport, "_MAX_PUSH", 3)
    Publisher(app).publish(claims(8, 2))
    assert [f"r_{n}" for n in range(8)] == [body(message)[0][0] for message in messages(app, redis_client, "deliver.2")]


def test_a_full_redis_takes_wake_up_calls(app: Any, redis_client: "redis.Redis") -> None:
    """What is never handed out never ends, and gives no room back."""
    publisher = Publisher(app)
    redis_client.config_set("maxmemory", "1mb")
    try:
        publisher.publish(claims(3, 3))
    finally:
        redis_client.config_set("maxmemory", 0)
    assert 3 == sum(len(body(message)[0][0]) for message in messages(app, redis_client, "deliver.3"))
