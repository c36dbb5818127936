"""What the pages of metrics and health say of Redis and of the ledger."""

from config.settings import Settings
from longshore.ledger.fleet_audit import FleetAudit
from longshore.ledger.fleet_snapshot import take_snapshot
from longshore.ledger.redis_probe import RedisProbe
from longshore.ledger.report_ages import remove_sent_report_ages
from longshore.ledger.scan import Filter
from longshore.operations.ledger_access import open_ledger
from longshore.telemetry.background_stats import BackgroundStats
from longshore.telemetry.fleet import FleetCollector
from longshore.telemetry.redis_watch import RedisWatch

REDIS_TIMEOUT_S = 2.0
"""How long Redis may take to answer for a page: a probe or a scrape does not wait for longer."""


def watch_redis(settings: Settings) -> RedisWatch:
    """Begins to look whether Redis answers."""
    watch = RedisWatch(RedisProbe(open_ledger(settings, 2, REDIS_TIMEOUT_S).ledger))
    watch.start()
    return watch


def build_fleet_collector(settings: Settings) -> FleetCollector:
    """The metrics of the whole fleet; begins to count what takes long to count."""
    ledger = open_ledger(settings, 2, REDIS_TIMEOUT_S).ledger
    # The slow looks have longer, and a connection of their own.
    background_access = open_ledger(settings, 2)
    background_stats = BackgroundStats(
        FleetAudit(background_access.ledger),
        count=lambda: background_access.invocations.count(Filter()),
        tidy=lambda: remove_sent_report_ages(background_access.ledger),
    )
    background_stats.start()
    return FleetCollector(lambda: take_snapshot(ledger), background_stats.failed_by_reason, settings.metrics_targets)
