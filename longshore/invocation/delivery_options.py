"""The delivery options of a mapping: how its invocations are delivered. None leaves an option to the settings."""

from dataclasses import dataclass
from typing import Literal

from longshore.invocation.credentials_section import CredentialOptions
from longshore.invocation.idempotency_section import IdempotencyOptions
from longshore.invocation.order_section import OrderOptions
from longshore.invocation.success_section import SuccessOptions
from longshore.invocation.tls_section import TlsOptions


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """The options of one mapping; None is what it leaves to the settings."""

    target: str | None = None
    """Name of the target for limits, breaker and fair share, in place of the URL's origin."""
    timeout_s: float | None = None
    max_attempts: int | None = None
    base_s: float | None = None
    max_s: float | None = None
    max_age_s: float | None = None
    rate: float | None = None
    """Starts per second, 0 for no limit."""
    concurrency: int | None = None
    """Most in flight at once."""
    unknown_outcome: Literal["park", "retry"] | None = None
    """Policy for an unknown outcome; where the mapping has only `idempotent`, that decides."""
    tls: TlsOptions | None = None
    """Whom to trust at the target, and the certificate to show it."""
    standard_webhooks: bool | None = None
    """Whether the headers of Standard Webhooks are sent."""
    idempotency: IdempotencyOptions | None = None
    credentials: CredentialOptions | None = None
    """What the target is given, so that it takes the request."""
    order: OrderOptions | None = None
    """Which of its invocations are delivered one after the other."""
    success: SuccessOptions | None = None
    """Which answers are a success; None: those below 400."""
    host_header: str = ""
    """The `Host` of requests, in place of the URL's host."""
