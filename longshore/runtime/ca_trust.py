"""Whom this agent trusts: the bundle of certificates it assembles at start, and the user's own, which win.

The bundle holds the system's certificates and those of the files below `LONGSHORE_CA_DIR`. It is exported for all that
read certificates from the environment: `requests` for webhooks and Port, Kafka and Redis through `SSL_CERT_FILE`. What
the user set is never replaced. While the agent runs, the bundle follows its files.
"""

import tempfile
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from config.settings import Settings
from config.user_ca_bundle import CURL, REQUESTS, SSL_CERT_FILE, given, of_requests, unusable
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.network import ca_files
from longshore.network.ca_bundle import Bundle, BundleUnwritable, gather, write
from longshore.periodic import LIMIT_S, Periodic

log = EventLog(__name__)

SYSTEMS = ("/etc/ssl/certs/ca-certificates.crt", str(DEFAULT_CA_BUNDLE_PATH))
"""Where public CAs are found: as the image, or its owner, has them; else those that come with `requests`."""


def assemble(settings: Settings) -> Bundle:
    """The bundle as it should be now; nothing is written."""
    return gather(str(settings.longshore_ca_dir), SYSTEMS)


def establish(settings: Settings, environ: MutableMapping[str, str]) -> bool:
    """Write the bundle, and export it in `environ` unless the user named another; says what happened.

    Never raises: without the bundle, public CAs are trusted as ever. Returns whether the bundle was written.
    """
    done = _write(settings, assemble(settings))
    if done:
        export(environ, settings.longshore_ca_bundle)
    else:
        _withdraw(environ, settings.longshore_ca_bundle)
    if (path := given(environ, SSL_CERT_FILE, settings.longshore_ca_bundle)) and (problem := unusable(path)):
        log.event(events.CA_BUNDLE_SSL_CERT_FILE_REJECTED, path=path, problem=problem)
    return done


@contextmanager
def lent(settings: Settings, environ: MutableMapping[str, str]) -> Iterator[None]:
    """Export in `environ` what an agent that started now would trust, without touching the bundle of one that runs.

    For commands: they may run as another user beside an agent, or where none has run. The file goes with the context.
    """
    _withdraw(environ, settings.longshore_ca_bundle)
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="longshore-trusted-"))
            if text := assemble(settings).text:
                path = Path(folder) / "trusted.crt"
                write(path, text)
                export(environ, path)
        except (OSError, BundleUnwritable):  # nothing can be written to: what an agent wrote before, if one did
            if settings.longshore_ca_bundle.is_file():
                export(environ, settings.longshore_ca_bundle)
        yield


def export(environ: MutableMapping[str, str], bundle: Path) -> None:
    """Name `bundle` in the variables that libraries read, where the user named none."""
    if given(environ, SSL_CERT_FILE, bundle) is None:
        environ[SSL_CERT_FILE] = str(bundle)
    # Both are for the same readers, and the first one wins: beside a user's CURL_CA_BUNDLE it must stay unset.
    if of_requests(environ, bundle) is None:
        environ[REQUESTS] = environ[CURL] = str(bundle)
    elif given(environ, CURL, bundle) is None:
        environ[CURL] = str(bundle)


def kafka_bundle(environ: Mapping[str, str]) -> str | None:
    """The bundle for Kafka: `SSL_CERT_FILE` in effect. None, librdkafka's own choice, when it names no file."""
    path = environ.get(SSL_CERT_FILE)
    return path if path and Path(path).is_file() else None


def kafka_bundle_version(environ: Mapping[str, str]) -> object:
    """Something that is another when that bundle was changed or replaced; None while there is none."""
    path = kafka_bundle(environ)
    return ca_files.version(path) if path else None


class Watch:
    """Assembles the bundle again when a file it is made of came, went or changed, or when the bundle itself is gone.

    Make it before the bundle is written for the first time. Whoever sends notices the new file by itself (see
    `longshore.network.tls`).
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # Seen before the files are read: a change in between is found at the first look.
        self._known = self._state()
        every_s = settings.longshore_ca_check_s
        self._loop = Periodic("ca-watch", every_s, self._step, first_s=every_s, limit_s=every_s + LIMIT_S)
        self.start, self.stop = self._loop.start, self._loop.stop

    def look(self) -> bool:
        """Write the bundle if it must be; returns whether it was."""
        now = self._state()
        if now == self._known and self._settings.longshore_ca_bundle.exists():
            return False
        self._known = now
        return _write(self._settings, assemble(self._settings))

    def _step(self) -> None:
        self.look()

    def _state(self) -> object:
        folder = ca_files.folder_version(str(self._settings.longshore_ca_dir))
        return folder, [ca_files.version(path) for path in SYSTEMS]


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
        remedy = "name a file with LONGSHORE_CA_BUNDLE that only you can write"
        log.event(events.CA_BUNDLE_WRITE_FAILED, problem=str(error), remedy=remedy, lost=mounted)
        return False
    path, folder = str(settings.longshore_ca_bundle), str(settings.longshore_ca_dir)
    log.event(events.CA_BUNDLE_ASSEMBLED, path=path, public=public, mounted=mounted, folder=folder)
    return True


def _withdraw(environ: MutableMapping[str, str], bundle: Path) -> None:
    """Take back what a parent, or an image, exported: a path without a file would fail every call."""
    for name in (SSL_CERT_FILE, REQUESTS, CURL):
        if environ.get(name) == str(bundle):
            del environ[name]
