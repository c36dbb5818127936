"""Holds in place what the transport takes from kombu's inside."""

from unittest.mock import Mock

import redis
from kombu.connection import Connection
from kombu.entity import Queue
from kombu.transport import redis as kombus
from kombu.transport import virtual
from kombu.utils.json import dumps

from config.settings import load
from longshore.ledger.address import parse
from longshore.runtime.embedded_redis import EmbeddedRedis
from tasks.celery.app import make_app
from tasks.celery.transport import Channel, Transport
from tests.support.programs import SETTINGS


def test_kombu_still_asks_the_attributes_that_are_set() -> None:
    """None of them is a documented option."""
    assert virtual.Channel.do_restore is True
    assert Channel.do_restore is False
    assert redis.exceptions.ResponseError in kombus.Transport.channel_errors
    assert redis.exceptions.ResponseError in Transport.connection_errors
    for name in ("_put", "_brpop_read", "_queue_bind", "_receive", "basic_consume", "_connparams", "_get_pool"):
        assert name in vars(kombus.Channel)
    assert "_deliver" in vars(virtual.Transport)
    assert "_delivered" in vars(virtual.QoS(Mock()))


def test_a_message_is_pushed_as_kombu_pushes_it(shared_redis: EmbeddedRedis, redis_client: "redis.Redis") -> None:
    """Alone or in a batch, at the place where the worker reads, with the prefix; and also into a full Redis."""
    address = parse(shared_redis.url)
    options = {"address": address, "global_keyprefix": "ours:", "ack_emulation": False, "priority_steps": [0]}
    connection = Connection(transport=Transport, transport_options=options)
    with connection, connection.Producer() as producer:
        producer.publish({"n": 0}, routing_key="deliver", declare=[Queue("deliver", routing_key="deliver")])
        redis_client.config_set("maxmemory", "1mb")
        try:
            with producer.batch(10):
                producer.publish({"n": 1}, routing_key="deliver")
            producer.publish({"n": 2}, routing_key="deliver")
        finally:
            redis_client.config_set("maxmemory", 0)
        queue = connection.SimpleQueue("deliver")
        assert [{"n": n} for n in range(3)] == [queue.get(timeout=5).payload for _ in range(3)]
        queue.close()


def test_what_a_worker_tells_of_its_connection_can_be_sent(shared_redis: EmbeddedRedis) -> None:
    """`inspect stats`, and with it Flower's page of a worker, got no answer as long as a class was in it."""
    app = make_app(load({**SETTINGS, "REDIS_URL": shared_redis.url}))
    with app.connection() as connection:
        assert '"transport": "redis"' in dumps(connection.info())
