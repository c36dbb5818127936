"""TLS contexts, made once per set of trusted certificates.

Left alone, `urllib3` reads the whole CA bundle (10 to 20 CPU-ms) for every new connection. A context may serve any
number of connections at once, so one is kept per bundle, and made again when the bundle's file changes: a rotated CA
needs no restart.
"""

import os
import ssl
import threading
from dataclasses import dataclass

import certifi

from longshore.errors import LongshoreError
from longshore.watched_files import file_version


class BundleUnreadable(LongshoreError):
    """A file or folder of certificates cannot be read; `path` names it."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"the certificates in {self.path} cannot be read: check what names it, e.g. REQUESTS_CA_BUNDLE"


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom a client trusts, and who it says it is."""

    verify: bool | str | None = True
    """True: the CAs that come with `requests`; a path: that file or folder; None: what OpenSSL chooses, `SSL_CERT_FILE`
    first; False: no check at all."""
    certificate: str = ""
    key: str = ""
    """PEM files of the client's own certificate; the first may hold both."""
    check_hostname: bool = True
    """Whether the certificate must be for the name that was asked for."""


class TlsContexts:
    """The contexts of one sender, by what to trust. Any number of threads may ask."""

    def __init__(self) -> None:
        self._cache: dict[Tls, tuple[object, ssl.SSLContext]] = {}
        self._lock = threading.Lock()

    def for_verify(self, verify: bool | str) -> ssl.SSLContext:
        """The context for `verify` as `requests` means it. Raises BundleUnreadable."""
        return self.get(Tls(verify))

    def get(self, tls: Tls) -> ssl.SSLContext:
        """The context for `tls`. Raises BundleUnreadable."""
        version = [_existing_version(path) for path in _files_of(tls)]
        entry = self._cache.get(tls)
        if entry is not None and entry[0] == version:
            return entry[1]
        with self._lock:
            entry = self._cache.get(tls)
            if entry is None or entry[0] != version:
                entry = self._cache[tls] = (version, _create_context(tls))
            return entry[1]


class HandshakeSocket(ssl.SSLSocket):
    """A TLS socket whose errors say how far a failed handshake came.

    TLS 1.2 has one alert for "no cipher in common" and for "no certificate of yours" (RFC 5246, 7.2.2): `has_cipher` of
    the error is True if both sides had agreed on a cipher before.
    """

    def do_handshake(self, block: bool = False) -> None:
        """As in `ssl`."""
        try:
            super().do_handshake(block)
        except ssl.SSLError as error:
            error.has_cipher = self.cipher() is not None  # type: ignore[attr-defined]
            raise


def _files_of(tls: Tls) -> list[str]:
    """What a context for `tls` is read from."""
    own = [path for path in (tls.certificate, tls.key) if path]
    if tls.verify is None:
        # Those that are not there are None.
        paths = ssl.get_default_verify_paths()
        return [*own, *(path for path in (paths.cafile, paths.capath) if path)]
    return own if tls.verify is False else [*own, _bundle_path(tls.verify)]


def _bundle_path(verify: bool | str) -> str:
    return certifi.where() if verify is True else str(verify)


def _existing_version(path: str) -> object:
    if (version := file_version(path)) is None:
        raise BundleUnreadable(path)
    return version


def _create_context(tls: Tls) -> ssl.SSLContext:
    from urllib3.util.ssl_ import (
        create_urllib3_context,  # whoever only names a `Tls`, as the settings do, needs no HTTP
    )

    if tls.verify is False:
        context = create_urllib3_context(cert_reqs=ssl.CERT_NONE, verify_flags=0)
        context.check_hostname = False
    else:
        # Not Python 3.13's strictness: many private CAs lack an extension that it wants, and older Pythons took them.
        # A certificate that was mounted is trusted as it is, whether a root, an intermediate CA or a server's own.
        context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED, verify_flags=ssl.VERIFY_X509_PARTIAL_CHAIN)
        context.check_hostname = tls.check_hostname
        _load_trusted(context, tls.verify)
    context.sslsocket_class = HandshakeSocket
    if tls.certificate:
        try:
            context.load_cert_chain(tls.certificate, tls.key or None, password=_no_password)
        except (OSError, ValueError):
            raise BundleUnreadable(tls.certificate) from None
    return context


def _load_trusted(context: ssl.SSLContext, verify: bool | str | None) -> None:
    if verify is None:
        context.load_default_certs()
        return
    path = _bundle_path(verify)
    try:
        if os.path.isdir(path):
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except OSError:
        raise BundleUnreadable(path) from None


def _no_password() -> str:
    # Without this OpenSSL would ask for one at the terminal, and wait.
    raise ValueError("a key with a password")
