"""Removes the ages of reports that were sent, where a sender of an older version has left them behind."""

from typing import Any

from longshore.ledger.connection import reaching_store
from longshore.ledger.ledger import Ledger
from longshore.ledger.text import decode

MAX_CHECKED = 20
"""Of the oldest ones, at each call: metrics show the age of the very oldest."""


def remove_sent_report_ages(ledger: Ledger) -> None:
    """Removes entries of `outbox:since` without reports, among the oldest: senders of older versions leave them.

    Raises StoreUnavailable.
    """
    client, keys = ledger.redis, ledger.keys
    with reaching_store():
        oldest: Any = client.zrange(keys.outbox_since, 0, MAX_CHECKED - 1)
        for id in oldest:
            if not client.exists(keys.reports(decode(id))):
                client.zrem(keys.outbox_since, id)
