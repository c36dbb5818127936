"""Since when reports wait that Port has not heard, where their sender left that behind."""

from typing import Any

from longshore.ledger.connection import reaching_store
from longshore.ledger.ledger import Ledger

LOOKED_AT = 20
"""The oldest ones, a few at a time: the age that is shown is that of the very oldest."""


def forget_settled_reports(ledger: Ledger) -> None:
    """Forgets since when reports waited that were sent: a sender of an older version leaves that.

    Raises StoreUnavailable.
    """
    client, keys = ledger.redis, ledger.keys
    with reaching_store():
        oldest: Any = client.zrange(keys.outbox_since, 0, LOOKED_AT - 1)
        for id in oldest:
            if not client.exists(keys.reports(id.decode("utf-8", "surrogatepass"))):
                client.zrem(keys.outbox_since, id)
