"""Reads a section `tls`: whom to trust at a target, and which certificate to show it. All files are PEM.

{"certificate": "/certs/tls.crt", "key": "/certs/tls.key", "ca": "/certs/ca.crt", "verify": true}
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from longshore.invocation.section_values import InvalidValue, read_boolean, read_object, read_path


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """The TLS options of a target; empty and None leave an option to the settings."""

    certificate: str = ""
    """File of the certificate to show, and its chain."""
    key: str = ""
    """File of its private key; empty: in the file of the certificate."""
    key_password_file: str = ""
    """File of the key's password, if it has one."""
    ca: str = ""
    """File of the only CAs that are trusted at this target."""
    verify: bool | None = None
    """False: the target's certificate is not checked at all."""


def read_tls(value: Any) -> TlsOptions:
    """The section `value`. Raises InvalidValue with all that is wrong."""
    options = TlsOptions(**read_object(value, _READERS))
    if (options.key or options.key_password_file) and not options.certificate:
        raise InvalidValue("has a key without a certificate: name the certificate, too")
    if options.ca and options.verify is False:
        raise InvalidValue("has both ca and verify: false: with the second, the first is never asked")
    return options


_READERS: dict[str, Callable[[Any], Any]] = {
    "certificate": read_path,
    "key": read_path,
    "key_password_file": read_path,
    "ca": read_path,
    "verify": read_boolean,
}
