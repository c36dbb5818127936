"""TLS contexts, made once per set of trusted certificates.

Left alone, `urllib3` reads the whole CA bundle (10 to 20 CPU-ms) for every new connection. A context may serve any
number of connections at once, so one is kept per bundle, and made again when the bundle's file changes: a rotated CA
needs no restart.
"""

import os
import ssl
import threading

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context

from longshore.errors import LongshoreError


class BundleUnreadable(LongshoreError):
    """The file or folder of trusted certificates cannot be read; `path` names it."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"the CA bundle {self.path} cannot be read: check REQUESTS_CA_BUNDLE"


class Contexts:
    """The contexts of one sender, by what to trust. Any number of threads may ask."""

    def __init__(self) -> None:
        self._made: dict[bool | str, tuple[object, ssl.SSLContext]] = {}
        self._lock = threading.Lock()

    def context(self, verify: bool | str) -> ssl.SSLContext:
        """The context for `verify` as `requests` means it.

        True: the CAs that come with `requests`; a path: that file or folder; False: no check at all. Raises
        BundleUnreadable.
        """
        path = str(DEFAULT_CA_BUNDLE_PATH) if verify is True else verify
        version = None if path is False else _version(path)
        made = self._made.get(path)
        if made is not None and made[0] == version:
            return made[1]
        with self._lock:
            made = self._made.get(path)
            if made is None or made[0] != version:
                made = self._made[path] = (version, _make(path))
            return made[1]


def _version(path: str | bool) -> object:
    try:
        found = os.stat(path)
    except OSError:
        raise BundleUnreadable(str(path)) from None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _make(path: str | bool) -> ssl.SSLContext:
    if path is False:
        context = create_urllib3_context(cert_reqs=ssl.CERT_NONE, verify_flags=0)
        context.check_hostname = False
        return context
    # Not Python 3.13's strictness: many private CAs lack an extension that it wants, and older Pythons took them.
    # A certificate that was mounted is trusted as it is, whether a root, an intermediate CA or a server's own.
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED, verify_flags=ssl.VERIFY_X509_PARTIAL_CHAIN)
    try:
        if os.path.isdir(path):
            context.load_verify_locations(capath=str(path))
        else:
            context.load_verify_locations(cafile=str(path))
    except OSError:
        raise BundleUnreadable(str(path)) from None
    return context
