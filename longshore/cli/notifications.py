"""Notifications as the settings want them, in a program of the fleet."""

from config.roles import Role
from config.settings import Settings
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.notification.destinations import is_installed
from longshore.notification.kinds import parse_kinds
from longshore.notification.notifier import Notifier, Plan
from longshore.notification.urls import split_urls
from longshore.operations.ledger_access import open_ledger
from longshore.telemetry.health import PROCESS_HEALTH

log = EventLog(__name__)


def start(settings: Settings, role: Role) -> None:
    """Begins to look after the fleet, in a thread that ends with the process; only says so if apprise is missing."""
    if not is_installed():
        log.event(events.NOTIFICATION_NOT_INSTALLED)
        return
    # Connections of its own: no delivery waits for one of these.
    ledger = open_ledger(settings, 2).ledger
    Notifier(ledger, plan(settings), reads=lambda: role is Role.INGEST and PROCESS_HEALTH.ready().ok).start()


def plan(settings: Settings) -> Plan:
    """What the settings say."""
    return Plan(
        urls=split_urls(settings.notify_urls),
        kinds=parse_kinds(settings.notify_on),
        interval_s=settings.notify_interval_s,
        silence_s=settings.notify_silence_s,
        # By then it is probed as rarely as it ever is.
        breaker_s=settings.breaker_max_open_s,
        agent=settings.namespace,
        flower_url=settings.flower_public_url,
    )
