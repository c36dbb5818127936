"""By what a target tells that a request is a repeat: the invocation's key, and the headers that carry it."""

from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from longshore.delivery.request import Sign
from longshore.delivery.standard_webhooks import WebhookSigner
from longshore.invocation.delivery_options import DeliveryOptions
from longshore.invocation.idempotency_section import IdempotencyOptions

T = TypeVar("T", bool, str)


@dataclass(frozen=True, slots=True)
class RequestIdentity:
    """How the requests of an invocation name it."""

    header: str
    """Header with its key; empty for none."""
    is_fresh_on_requeue: bool = False
    """Whether what an operator sends again has another key, so that a target does it again."""
    has_standard_webhooks: bool = False
    """Whether the headers of Standard Webhooks are sent, which carry the key as well."""

    def with_overrides(self, delivery: DeliveryOptions) -> "RequestIdentity":
        """The same, but for what the mapping says."""
        idempotency = delivery.idempotency or IdempotencyOptions()
        return RequestIdentity(
            _first(idempotency.header, self.header),
            _first(idempotency.is_fresh_on_requeue, self.is_fresh_on_requeue),
            _first(delivery.standard_webhooks, self.has_standard_webhooks),
        )

    def build_key(self, id: str, generation: int) -> str:
        """The key of the invocation `id`: the same at each attempt of a `generation`, which requeues raise from 1."""
        return f"{id}~{generation}" if self.is_fresh_on_requeue and generation > 1 else id

    def build_headers(self, key: str) -> dict[str, str]:
        """The header with the key, if there is one."""
        return {self.header: key} if self.header and key else {}

    def choose_signature(self, signer: WebhookSigner | None, key: str) -> Sign | None:
        """What signs beside Port's signature, if anything is to."""
        if signer is None or not self.has_standard_webhooks or not key:
            return None
        return partial(signer.build_headers, key)


def _first(option: T | None, otherwise: T) -> T:
    return otherwise if option is None else option
