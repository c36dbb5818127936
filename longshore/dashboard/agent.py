"""What the pages stand on: the ledger and its readers, opened with the settings, as one value."""

from dataclasses import dataclass, field

from config.ledger import open_ledger, sealer_of
from config.settings import Settings
from longshore.dashboard.counts import Counts
from longshore.dashboard.request import Requests
from longshore.store.ledger import Ledger
from longshore.store.letters import Letters
from longshore.store.pages import Pages
from longshore.store.requeue import Requeue
from longshore.store.targets import Targets


@dataclass(frozen=True, slots=True)
class Agent:
    """The ledger of one agent, and what reads and steers it. Connects on first use."""

    settings: Settings = field(repr=False)
    ledger: Ledger
    letters: Letters
    pages: Pages
    counts: Counts
    requeue: Requeue
    targets: Targets
    requests: Requests

    @classmethod
    def of(cls, settings: Settings) -> "Agent":
        """The agent that `settings` describe."""
        ledger = open_ledger(settings)
        sealer = sealer_of(settings)
        letters = Letters(ledger.redis, ledger.keys, sealer)
        return cls(
            settings,
            ledger,
            letters,
            Pages(ledger.redis, ledger.keys, letters),
            Counts(letters),
            Requeue(ledger.redis, ledger.keys, ledger.limits, sealer),
            Targets(ledger.redis, ledger.keys, ledger.limits),
            Requests(settings),
        )

    @property
    def has_secret(self) -> bool:
        """Without the client secret nothing sealed can be read, and no requeue could be signed into the history."""
        return bool(self.settings.port_client_secret)
