"""The context of every handler: the ledger and its readers, opened with the settings, as one value."""

from dataclasses import dataclass, field

from config.settings import Settings
from longshore.dashboard.cached_counts import CachedCounts
from longshore.dashboard.request_params import BadRequest
from longshore.operations.ledger_access import LedgerAccess, open_ledger
from longshore.operations.preview import RequestPreviews


@dataclass(frozen=True, slots=True)
class DashboardContext:
    """The ledger of one agent, and what reads and steers it. Connects on first use."""

    settings: Settings = field(repr=False)
    access: LedgerAccess
    counts: CachedCounts
    previews: RequestPreviews

    @classmethod
    def open(cls, settings: Settings) -> "DashboardContext":
        """The context of the agent that `settings` describe."""
        access = open_ledger(settings)
        return cls(settings, access, CachedCounts(access.invocations), RequestPreviews(settings))

    @property
    def requeue_access(self) -> LedgerAccess:
        """The ledger, for a requeue. Raises `BadRequest` without the client secret, which seals the note of it."""
        if not self.has_secret:
            raise BadRequest("Flower was started without PORT_CLIENT_SECRET: nothing can be requeued here", 409)
        return self.access

    @property
    def has_secret(self) -> bool:
        """Whether there is a client secret: without it nothing sealed can be read, and no note can be sealed."""
        return bool(self.settings.port_client_secret)

    def close(self) -> None:
        """Ends the thread of the counts and the mapping's processes."""
        self.counts.close()
        self.previews.close()
