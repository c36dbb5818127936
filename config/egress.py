"""Where webhooks may go, from the settings: the two lists, and what is our own."""

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from config.settings import Settings
from longshore.delivery import EgressPolicy, HostPatterns, InternalService

_BROKER_PORT = 9092
_EVERYWHERE = ("", "0.0.0.0", "::")


def build_egress_policy(settings: Settings) -> EgressPolicy:
    """What may be called. Brokers that Port names are to be added to its `internal_services` once they are known."""
    allow, deny = HostPatterns.parse(settings.webhook_allow), HostPatterns.parse(settings.webhook_deny)
    return EgressPolicy(
        allow, deny, collect_internal_services(settings, settings.kafka_consumer_bootstrap_servers.split(","))
    )


def collect_internal_services(settings: Settings, brokers: Iterable[str]) -> tuple[InternalService, ...]:
    """Our Redis and its sentinels, Kafka's `brokers` (`host:port`, empty ones are skipped), our pages and Flower."""
    return (*_redis(settings), *_kafka(brokers), *_ports(settings))


def _ports(settings: Settings) -> Iterator[InternalService]:
    """What programs of ours open on this machine: they show payloads, and Flower lets people requeue."""
    for what, address, port in (
        ("metrics page", settings.metrics_address, settings.metrics_port),
        ("Flower", settings.flower_address, settings.flower_port),
    ):
        if port:
            yield InternalService(what, "127.0.0.1" if address in _EVERYWHERE else address, port)


def _redis(settings: Settings) -> Iterator[InternalService]:
    if not settings.redis_url:
        return
    name = "Redis sentinel" if settings.redis.kind == "sentinel" else "Redis"
    for host, port in settings.redis.nodes:
        yield InternalService(name, host, port)


def _kafka(brokers: Iterable[str]) -> Iterator[InternalService]:
    for broker in filter(None, map(str.strip, brokers)):
        try:
            # librdkafka takes a protocol in front: SASL_SSL://host:port.
            parts = urlsplit(f"//{broker.rpartition('://')[2]}")
            host, port = parts.hostname, parts.port
        except ValueError:
            continue  # no address, so nobody can connect to it
        if host:
            yield InternalService("Kafka broker", host, port or _BROKER_PORT)
