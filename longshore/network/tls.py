"""TLS contexts, made once per set of trusted certificates and certificate to show.

Left alone, `urllib3` reads the whole CA bundle (10 to 20 CPU-ms) for every new connection. A context may serve any
number of connections at once, so one is kept per set, and made again when one of its files changes: a rotated CA or
client certificate needs no restart, and one that cannot be read leaves the one from before.
"""

import os
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import certifi

from longshore.errors import LongshoreError
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.network import client_certificate
from longshore.watched_files import WatchedFiles

log = EventLog(__name__)


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
    key_password_file: str = ""
    """File of the key's password, where it has one."""


class TlsContexts:
    """The contexts of one sender, by what to trust and what to show. Any number of threads may ask."""

    def __init__(self, on_replaced: Callable[[ssl.SSLContext], None] = lambda context: None) -> None:
        """`on_replaced` hears of each context that new connections do not use any more."""
        self._on_replaced = on_replaced
        self._cache: dict[tuple[Tls, tuple[str, ...]], WatchedFiles[ssl.SSLContext]] = {}
        self._lock = threading.Lock()

    def get(self, tls: Tls) -> ssl.SSLContext:
        """The context for `tls`. Raises BundleUnreadable and CertificateUnusable, if it could never be made so far."""
        key = tls, (files := _files_of(tls))
        context = self._cache.get(key)
        if context is None:
            with self._lock:
                context = self._cache.get(key) or WatchedFiles(files, partial(self._create, *key), _log_failure)
                self._cache[key] = context
        return context.get()

    def _create(self, tls: Tls, files: tuple[str, ...]) -> ssl.SSLContext:
        context = create_context(tls)
        if (watched := self._cache.get((tls, files))) is not None:
            log.event(events.TLS_RELOADED, files=files)
            self._on_replaced(watched.value)
        return context


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


def _files_of(tls: Tls) -> tuple[str, ...]:
    """What a context for `tls` is read from."""
    paths: tuple[str | None, ...] = ()
    if tls.verify is None:
        defaults = ssl.get_default_verify_paths()
        paths = defaults.cafile, defaults.capath  # those that are not there are None
    elif tls.verify is not False:
        paths = (_bundle_path(tls.verify),)
    return tuple(filter(None, (*paths, tls.certificate, tls.key, tls.key_password_file)))


def _bundle_path(verify: bool | str) -> str:
    return certifi.where() if verify is True else str(verify)


def _log_failure(error: LongshoreError | OSError) -> None:
    log.event(events.TLS_RELOAD_FAILED, problem=str(error))


def create_context(tls: Tls) -> ssl.SSLContext:
    """A new context for `tls`. Raises BundleUnreadable and CertificateUnusable."""
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
        client_certificate.load(context, tls.certificate, tls.key, tls.key_password_file)
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
