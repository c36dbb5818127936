"""On which terms a mapping's invocations are delivered: its own word, else the settings'."""

from collections.abc import Sequence
from dataclasses import dataclass

from config.settings import Settings
from longshore.delivery.policy import RetryPolicy
from longshore.invocation.delivery import Delivery
from longshore.invocation.kinds import Kind


@dataclass(frozen=True, slots=True)
class Terms:
    """How one invocation is delivered."""

    policy: RetryPolicy
    timeout_s: float
    """For connecting, and for each read."""
    total_s: float


class AllTerms:
    """The terms of every mapping entry, made once."""

    def __init__(self, settings: Settings, deliveries: Sequence[Delivery]) -> None:
        self._terms = {
            (kind, entry): _terms(settings, kind, delivery)
            for entry, delivery in enumerate(deliveries)
            for kind in Kind
        }
        own = [terms.total_s for terms in self._terms.values()]
        self.longest_s = max([settings.total_timeout_s, *own])
        """The longest that any request may take."""

    def of(self, kind: Kind, entry: int) -> Terms:
        """The terms for `kind` under the mapping entry `entry`."""
        return self._terms[kind, entry]


def _terms(settings: Settings, kind: Kind, delivery: Delivery) -> Terms:
    timeout_s = delivery.timeout_s or settings.webhook_invoker_timeout
    # A total that an operator has set is a bound on everything; else it follows the timeout.
    total_s = settings.webhook_total_timeout or 10 * timeout_s
    return Terms(settings.retry_policy(kind).refined(delivery), timeout_s, total_s)
