"""How the invocations of a mapping entry are delivered: as its `delivery` says, otherwise as the settings do."""

from collections.abc import Sequence
from dataclasses import dataclass

from config.settings import Settings
from longshore.delivery.policy import RetryPolicy
from longshore.delivery.request_identity import RequestIdentity
from longshore.invocation.delivery_options import DeliveryOptions
from longshore.invocation.kinds import Kind
from longshore.invocation.tls_section import TlsOptions


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """How one invocation is delivered."""

    policy: RetryPolicy
    timeout_s: float
    """For connecting, and for each read."""
    total_s: float
    identity: RequestIdentity
    tls: TlsOptions | None = None
    """The mapping's own; None leaves them to the targets file."""


class DeliverySettingsTable:
    """Those of every kind and mapping entry."""

    def __init__(self, settings: Settings, deliveries: Sequence[DeliveryOptions]) -> None:
        self._settings = {
            (kind, entry): _resolve(settings, kind, delivery)
            for entry, delivery in enumerate(deliveries)
            for kind in Kind
        }
        totals_s = [each.total_s for each in self._settings.values()]
        self.max_duration_s = max([settings.total_timeout_s, *totals_s])
        """The longest that any request may take."""

    def of(self, kind: Kind, entry: int) -> DeliverySettings:
        """Those for `kind` under the mapping entry `entry`."""
        return self._settings[kind, entry]


def _resolve(settings: Settings, kind: Kind, delivery: DeliveryOptions) -> DeliverySettings:
    timeout_s = delivery.timeout_s or settings.webhook_invoker_timeout
    # A total that an operator has set is a bound on everything; otherwise it follows the timeout.
    total_s = settings.webhook_total_timeout or 10 * timeout_s
    identity = settings.request_identity.with_overrides(delivery)
    policy = settings.retry_policy(kind).with_overrides(delivery)
    return DeliverySettings(policy, timeout_s, total_s, identity, delivery.tls)
