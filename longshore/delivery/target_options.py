"""How each target is called, by host pattern: the file that TARGETS_FILE names. A mapping's own section wins over it.

{"*.internal": {"tls": {"certificate": "/certs/tls.crt", "key": "/certs/tls.key", "ca": "/certs/ca.crt"}}}
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from longshore.delivery.host_table import HostTable
from longshore.delivery.request import OutgoingRequest
from longshore.delivery.target import target_of
from longshore.invocation.credentials_section import CredentialOptions, read_credentials
from longshore.invocation.delivery_options import DeliveryOptions
from longshore.invocation.section_values import InvalidValue, read_object
from longshore.invocation.tls_section import TlsOptions, read_tls


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """What the file says of one host pattern; None leaves it to the settings."""

    tls: TlsOptions | None = None
    credentials: CredentialOptions | None = None


TargetTable = HostTable[TargetOptions]


_NO_TARGETS = TargetTable()


def no_targets() -> TargetTable:
    """What the file says where there is none."""
    return _NO_TARGETS


def parse_targets(content: bytes) -> TargetTable:
    """The table that a file's content says. Raises BadHostTable, which names every problem."""
    return HostTable.parse(content, _read_options)


def find_credentials(
    deliveries: Sequence[DeliveryOptions], targets: TargetTable
) -> Iterator[tuple[str, CredentialOptions]]:
    """All credentials that a mapping and a targets file name, each with its place in words."""
    for index, delivery in enumerate(deliveries):
        if delivery.credentials is not None:
            yield f"mapping {index}, delivery", delivery.credentials
    for name, options in targets:
        if options.credentials is not None:
            yield repr(name), options.credentials


def choose_credentials(
    delivery: DeliveryOptions, targets: TargetTable, request: OutgoingRequest
) -> CredentialOptions | None:
    """What a request is given, by its mapping's `delivery` or else by `targets`; None for nothing.

    A header that the mapping sets itself wins over both. Raises BadUrl.
    """
    options = delivery.credentials
    if options is None and targets and request.url:
        target = targets.find(target_of(request.url))
        options = target.credentials if target is not None else None
    if options is None or options.header.lower() in map(str.lower, request.headers):
        return None
    return options


def _read_options(value: Any, problems: list[str], place: str) -> TargetOptions:
    try:
        return TargetOptions(**read_object(value, _READERS))
    except InvalidValue as error:
        problems.append(f"{place} {error}")
        return TargetOptions()


_READERS: dict[str, Callable[[Any], Any]] = {
    "tls": read_tls,
    "credentials": read_credentials,
}
