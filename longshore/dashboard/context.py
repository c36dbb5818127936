"""What the pages stand on: the ledger and its readers, opened with the settings, as one value."""

from dataclasses import dataclass, field

from config.settings import Settings
from longshore.dashboard.counts import Counts
from longshore.dashboard.request_params import BadRequest
from longshore.operations.ledger_access import LedgerAccess, open_ledger
from longshore.operations.preview import RequestPreviews


@dataclass(frozen=True, slots=True)
class DashboardContext:
    """The ledger of one agent, and what reads and steers it. Connects on first use."""

    settings: Settings = field(repr=False)
    access: LedgerAccess
    counts: Counts
    requests: RequestPreviews

    @classmethod
    def of(cls, settings: Settings) -> "DashboardContext":
        """The agent that `settings` describe."""
        access = open_ledger(settings)
        return cls(settings, access, Counts(access.invocations), RequestPreviews(settings))

    @property
    def requeues(self) -> LedgerAccess:
        """The ledger for whoever sends again. Raises `BadRequest` where no note could be sealed into the history."""
        if not self.has_secret:
            raise BadRequest("Flower was started without PORT_CLIENT_SECRET: nothing can be requeued here", 409)
        return self.access

    @property
    def has_secret(self) -> bool:
        """Without the client secret nothing sealed can be read, and no requeue could be signed into the history."""
        return bool(self.settings.port_client_secret)
