"""A mapped request, and a sender to send it with, for the tests of delivery."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from longshore.delivery import EgressPolicy
from longshore.delivery.resolver import Resolver
from longshore.delivery.send import Sender
from longshore.delivery.target_options import TargetTable, no_targets

SECRET = "demo-client-secret-0123456789-abcdefghijklmnop"


@dataclass(frozen=True)
class Post:
    """What a mapping would give."""

    url: str | None
    body: str | None = '{"a":1}'
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)
    query: Sequence[tuple[str, str]] = ()
    content_type: str = "application/json"
    host: str = ""


def make_sender(
    *,
    timeout_s: float = 10,
    total_s: float = 30,
    verify: bool = True,
    response_cap: int = 1_048_576,
    egress_policy: EgressPolicy | None = None,
    resolver: Resolver | None = None,
    targets: Callable[[], TargetTable] | None = None,
) -> Sender:
    """A sender that waits long enough for a busy machine, unless told otherwise."""
    return Sender(
        SECRET,
        timeout_s=timeout_s,
        total_s=total_s,
        verify=verify,
        response_cap=response_cap,
        egress_policy=egress_policy,
        resolver=resolver,
        targets=targets or no_targets,
    )
