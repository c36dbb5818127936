"""How each target is called, by host pattern: the file that TARGETS_FILE names. A mapping's own section wins over it.

{"*.internal": {"tls": {"certificate": "/certs/tls.crt", "key": "/certs/tls.key", "ca": "/certs/ca.crt"}}}
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from longshore.delivery.host_table import HostTable
from longshore.invocation.credentials_section import CredentialOptions, read_credentials
from longshore.invocation.section_values import InvalidValue, read_object
from longshore.invocation.tls_section import TlsOptions, read_tls


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """What the file says of one host pattern; None leaves it to the settings."""

    tls: TlsOptions | None = None
    credentials: CredentialOptions | None = None


TargetTable = HostTable[TargetOptions]


def parse_targets(content: bytes) -> TargetTable:
    """The table that a file's content says. Raises BadHostTable, which names every problem."""
    return HostTable.parse(content, _read_options)


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
