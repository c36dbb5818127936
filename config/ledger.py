"""The ledger as the settings describe it."""

from config.settings import Settings
from longshore.store.connection import connect
from longshore.store.keys import Keys
from longshore.store.ledger import Ledger
from longshore.store.limits import Limits
from longshore.store.seal import Sealer


def limits_of(settings: Settings) -> Limits:
    """The ledger's numbers."""
    return Limits(
        lease=round(settings.lease_s * 1000),
        ahead=round(settings.pump_interval_s * 1000),
        rate=settings.target_rate,
        target=settings.target_concurrency,
        lane=settings.lane_concurrency,
        port_rate=settings.port_api_rate,
        breaker_failures=settings.breaker_failures,
        breaker_open=round(settings.breaker_open_s * 1000),
        breaker_longest=round(settings.breaker_max_open_s * 1000),
        report_delay=round(settings.report_delay_s * 1000),
        forecast=round(settings.forecast_after_s * 1000),
        keep_done=settings.keep_done_s * 1000,
        keep_payload=settings.keep_payload_s * 1000,
        keep_dead=settings.keep_dead_s * 1000,
        keep_dead_count=settings.keep_dead_count,
        history=settings.history_attempts,
        open=settings.commits_finished,
    )


def sealer_of(settings: Settings) -> Sealer:
    """What seals and opens the values of this agent."""
    return Sealer(settings.port_client_secret, settings.port_client_secret_previous, settings.namespace)


def open_ledger(settings: Settings, connections: int = 20) -> Ledger:
    """The ledger at `REDIS_URL`, with at most `connections` at once. Connects on first use."""
    client = connect(settings.redis, connections)
    return Ledger(client, Keys.of(settings.namespace), limits_of(settings))
