"""Lines between an agent and all that it talks to: Kafka, Redis, Port, and two of the targets."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from urllib.parse import urlsplit

from longshore.runtime.embedded_redis import HOST, EmbeddedRedis
from tests.support.kafka_broker import KafkaBroker
from tests.support.line import Line

TARGETS = ("good", "slow")


class Network:
    """`environ` is what the agent's settings become behind it, `urls` what the targets' addresses become."""

    def __init__(self, kafka: KafkaBroker, server: EmbeddedRedis, port_url: str, urls: Mapping[str, str]) -> None:
        self._stack = ExitStack()
        self.redis = self._enter(Line(server.port))
        self.kafka = self._enter(Line(kafka.relayed, kafka.relay_port))
        self.port = self._enter(Line(urlsplit(port_url).port or 80))
        self.targets = {name: self._enter(Line(urlsplit(urls[name]).port or 80)) for name in TARGETS}
        self.environ = {
            "REDIS_URL": f"redis://{HOST}:{self.redis.port}/0",
            "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": f"{HOST}:{kafka.relay_port}",
            "PORT_API_BASE_URL": f"http://{HOST}:{self.port.port}",
        }
        self.urls = {
            name: urlsplit(urls[name])._replace(netloc=f"{HOST}:{line.port}").geturl()
            for name, line in self.targets.items()
        }

    def lines(self, name: str) -> list[Line]:
        """Those to redis, kafka, port, or to the targets."""
        return list(self.targets.values()) if name == "targets" else [getattr(self, name)]

    def close(self) -> None:
        """End all lines, and every connection through them."""
        self._stack.close()

    def _enter(self, line: Line) -> Line:
        return self._stack.enter_context(line)
