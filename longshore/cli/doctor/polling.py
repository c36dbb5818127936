"""Polling: how runs are claimed, whether Redis keeps them, and whether any wait for Port's acknowledgement."""

from collections.abc import Iterator

from config.roles import Role
from longshore.cli.doctor.finding import CheckContext, Finding, ok, warning
from longshore.errors import StoreUnavailable
from longshore.operations.ledger_access import open_ledger

OVERDUE_S = 60
"""An acknowledgement that was due so long ago has failed several times, or nobody polls."""


def check(context: CheckContext) -> Iterator[Finding]:
    """Claims nothing from Port: what it claimed would be kept from the agent for a while."""
    settings = context.settings
    if settings.is_polling:
        yield ok(
            f"runs are claimed from Port every {settings.polling_interval_seconds} s, at most "
            f"{settings.polling_runs_batch_size} at once; change log events are not polled"
        )
        if context.role is Role.RUN and not settings.redis_url and settings.longshore_data is None:
            yield warning(
                "runs that are acknowledged and not finished end with this container: Port gives them to nobody else",
                "Set LONGSHORE_DATA to a folder that lasts, or REDIS_URL",
            )
    else:
        yield ok(f"not used with STREAMER_NAME={settings.streamer_name}")
    if settings.redis_url:
        yield from _check_ledger(context)


def _check_ledger(context: CheckContext) -> Iterator[Finding]:
    access = open_ledger(context.settings, 2)
    with access.ledger:
        try:
            count, overdue = access.acknowledgements.count(), access.acknowledgements.count_overdue(OVERDUE_S)
        except StoreUnavailable:
            return  # what is said of Redis says why
    text = f"{count} runs are held until Port has acknowledged them"
    if count and not context.settings.is_polling:
        yield warning(f"{text}, which only an agent with STREAMER_NAME=POLLING does", "Let one run until there is none")
    elif overdue:
        yield warning(
            f"{text}, {overdue} of them for over {OVERDUE_S} s", "See what is said of Port, and whether ingest runs"
        )
    elif context.settings.is_polling:
        yield ok(text)
