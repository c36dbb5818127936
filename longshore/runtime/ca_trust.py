"""The CAs that this agent trusts: the bundle it assembles at start, and the user's own bundles, which win.

The bundle holds the system's certificates and those of the files below `LONGSHORE_CA_DIR`. It is exported for all that
read certificates from the environment: `requests` for webhooks and Port, Kafka and Redis through `SSL_CERT_FILE`. What
the user set is never replaced. While the agent runs, the bundle follows its files.
"""

import tempfile
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import certifi

from config.settings import Settings
from config.user_ca_bundle import CURL, REQUESTS, SSL_CERT_FILE, find_defect, find_requests_bundle, user_value
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.network import ca_files
from longshore.network.ca_bundle import Bundle, BundleUnwritable, gather, write
from longshore.periodic import LIMIT_S, Periodic
from longshore.watched_files import file_version

log = EventLog(__name__)

SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", certifi.where())
"""Where public CAs are found: as the image or the machine has them; otherwise those that come with `requests`."""


def assemble(settings: Settings) -> Bundle:
    """The bundle as it should be now; nothing is written."""
    return gather(str(settings.longshore_ca_dir), SYSTEM_BUNDLES)


def install(settings: Settings, environ: MutableMapping[str, str]) -> bool:
    """Write the bundle, and export it in `environ` unless the user named another; logs the result.

    Never raises: without the bundle, the public CAs are still trusted. Returns whether the bundle was written.
    """
    is_written = _write(settings, assemble(settings))
    if is_written:
        export(environ, settings.longshore_ca_bundle)
    else:
        _withdraw(environ, settings.longshore_ca_bundle)
    if (path := user_value(environ, SSL_CERT_FILE, settings.longshore_ca_bundle)) and (problem := find_defect(path)):
        log.event(events.CA_BUNDLE_SSL_CERT_FILE_REJECTED, path=path, problem=problem)
    return is_written


@contextmanager
def temporary_bundle(settings: Settings, environ: MutableMapping[str, str]) -> Iterator[None]:
    """Export in `environ` what an agent that started now would trust, without touching the bundle of a running one.

    For commands: they may run as another user beside an agent, or where none has run. The file is deleted at the end of
    the context.
    """
    _withdraw(environ, settings.longshore_ca_bundle)
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="longshore-trusted-"))
            if text := assemble(settings).text:
                path = Path(folder) / "trusted.crt"
                write(path, text)
                export(environ, path)
        except (OSError, BundleUnwritable):  # no writable folder: use what an agent wrote before, if one did
            if settings.longshore_ca_bundle.is_file():
                export(environ, settings.longshore_ca_bundle)
        yield


def export(environ: MutableMapping[str, str], bundle: Path) -> None:
    """Name `bundle` in the variables that libraries read, where the user named none."""
    if user_value(environ, SSL_CERT_FILE, bundle) is None:
        environ[SSL_CERT_FILE] = str(bundle)
    # Both are for the same readers, and the first one wins: beside a user's CURL_CA_BUNDLE it must stay unset.
    if find_requests_bundle(environ, bundle) is None:
        environ[REQUESTS] = environ[CURL] = str(bundle)
    elif user_value(environ, CURL, bundle) is None:
        environ[CURL] = str(bundle)


def kafka_bundle(environ: Mapping[str, str]) -> str | None:
    """The bundle for Kafka: `SSL_CERT_FILE` in effect. None, librdkafka's own choice, when it names no file."""
    path = environ.get(SSL_CERT_FILE)
    return path if path and Path(path).is_file() else None


class BundleWatch:
    """Assembles the bundle again when one of its sources was added, removed or changed, or when it was deleted itself.

    Create it before the bundle is written for the first time. HTTP clients notice the new file by themselves (see
    `longshore.network.tls`).
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # Taken before the sources are read: a change in between is noticed at the first check.
        self._state = self._read_state()
        interval_s = settings.longshore_ca_check_s
        self._loop = Periodic("ca-watch", interval_s, self._step, first_s=interval_s, limit_s=interval_s + LIMIT_S)
        self.start, self.stop = self._loop.start, self._loop.stop

    def refresh(self) -> bool:
        """Write the bundle if it must be; returns whether it was."""
        state = self._read_state()
        if state == self._state and self._settings.longshore_ca_bundle.exists():
            return False
        self._state = state
        return _write(self._settings, assemble(self._settings))

    def _step(self) -> None:
        self.refresh()

    def _read_state(self) -> object:
        folder = ca_files.folder_version(str(self._settings.longshore_ca_dir))
        return folder, [file_version(path) for path in SYSTEM_BUNDLES]


def _write(settings: Settings, bundle: Bundle) -> bool:
    for path, problem in bundle.warnings:
        log.event(events.CA_BUNDLE_SKIPPED, path=path, problem=problem)
    mounted = sum(len(source.certificates) for source in bundle.files)
    public = len(bundle.system.certificates) if bundle.system else 0
    if not mounted + public:
        log.event(events.CA_BUNDLE_LEFT_EMPTY, folder=str(settings.longshore_ca_dir))
        return False
    try:
        write(settings.longshore_ca_bundle, bundle.text)
    except BundleUnwritable as error:
        log.event(events.CA_BUNDLE_WRITE_FAILED, problem=str(error), lost=mounted)
        return False
    path, folder = str(settings.longshore_ca_bundle), str(settings.longshore_ca_dir)
    log.event(events.CA_BUNDLE_ASSEMBLED, path=path, public=public, mounted=mounted, folder=folder)
    return True


def _withdraw(environ: MutableMapping[str, str], bundle: Path) -> None:
    """Unset what a parent process, or an image, exported: a path without a file would fail every call."""
    for name in (SSL_CERT_FILE, REQUESTS, CURL):
        if environ.get(name) == str(bundle):
            del environ[name]
