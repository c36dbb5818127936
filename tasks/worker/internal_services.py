"""Keeps up to date what no webhook may call because it is our own: the brokers that Port names, and Redis's primary."""

from config.egress import collect_internal_services
from config.settings import Settings
from longshore.delivery import EgressPolicy, InternalService
from longshore.ledger.kafka_addresses import KafkaAddresses
from longshore.ledger.ledger import Ledger
from longshore.periodic import Periodic

_INTERVAL_S = 5.0  # brokers change with Port's clusters, and a failover of Redis takes longer than this


class InternalServices:
    """Looks every few seconds, in a thread of its own, so that no attempt waits for it."""

    def __init__(self, settings: Settings, ledger: Ledger, egress_policy: EgressPolicy) -> None:
        self._settings = settings
        self._ledger = ledger
        self._brokers = KafkaAddresses(ledger)
        self._egress_policy = egress_policy
        self._loop = Periodic("internal-services", _INTERVAL_S, self._step)
        self.start, self.stop = self._loop.start, self._loop.stop

    def _step(self) -> float | None:
        bootstrap_servers = self._settings.kafka_consumer_bootstrap_servers.split(",")
        self._egress_policy.internal_services = (
            *collect_internal_services(self._settings, [*bootstrap_servers, *self._brokers.read()]),
            *self._primary(),
        )
        return None

    def _primary(self) -> tuple[InternalService, ...]:
        """Redis itself, where the settings name its sentinels: as they said when a connection was last made."""
        primary = self._ledger.primary()
        return () if primary is None else (InternalService("Redis", *primary),)
