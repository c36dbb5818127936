"""The ledger that the settings describe, with everything that reads and steers it: wired in this one place."""

from dataclasses import dataclass

from config.settings import Settings
from longshore.ledger.acknowledgements import Acknowledgements
from longshore.ledger.connection import TIMEOUT_S, connect
from longshore.ledger.invocations import InvocationReader
from longshore.ledger.keys import Keys
from longshore.ledger.ledger import Ledger
from longshore.ledger.limits import Limits
from longshore.ledger.pagination import PageReader
from longshore.ledger.requeue import Requeuer
from longshore.ledger.seal import Sealer
from longshore.ledger.targets import TargetControls


@dataclass(frozen=True, slots=True)
class LedgerAccess:
    """One ledger, and what reads, requeues and steers in it, over the same connections. Thread safe."""

    ledger: Ledger
    sealer: Sealer
    """Opens and seals what rests in the ledger."""
    invocations: InvocationReader
    pages: PageReader
    requeue: Requeuer
    targets: TargetControls
    acknowledgements: Acknowledgements

    @classmethod
    def build(cls, ledger: Ledger, sealer: Sealer) -> "LedgerAccess":
        """Access to `ledger`, whose values `sealer` opens."""
        redis, keys, limits = ledger.redis, ledger.keys, ledger.limits
        invocations = InvocationReader(redis, keys, sealer)
        return cls(
            ledger=ledger,
            sealer=sealer,
            invocations=invocations,
            pages=PageReader(redis, keys, invocations),
            requeue=Requeuer(redis, keys, limits, sealer),
            targets=TargetControls(redis, keys, limits),
            acknowledgements=Acknowledgements(redis, keys, limits),
        )


def open_ledger(settings: Settings, connections: int = 20, timeout_s: float = TIMEOUT_S) -> LedgerAccess:
    """The ledger at `REDIS_URL`, over at most `connections` at once, each answer within `timeout_s`.

    Connects on first use.
    """
    client = connect(settings.redis, connections, timeout_s)
    ledger = Ledger(client, Keys.of(settings.namespace), build_limits(settings))
    return LedgerAccess.build(ledger, build_sealer(settings))


def build_limits(settings: Settings) -> Limits:
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
        forecast=round(settings.wait_estimate_after_s * 1000),
        keep_done=settings.keep_done_s * 1000,
        keep_payload=settings.keep_payload_s * 1000,
        keep_dead=settings.keep_dead_s * 1000,
        keep_dead_count=settings.keep_dead_count,
        history=settings.history_attempts,
        open=settings.commits_finished,
    )


def build_sealer(settings: Settings) -> Sealer:
    """What seals and opens the values of this agent."""
    return Sealer(settings.port_client_secret, settings.port_client_secret_previous, settings.namespace)
