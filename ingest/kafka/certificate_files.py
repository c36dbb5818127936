"""The files of certificates that librdkafka reads, once for each consumer: have they changed, and for the better?"""

from collections.abc import Mapping

from config.settings import Settings
from config.tls_files import find_defects, kafka_options
from config.user_ca_bundle import SSL_CERT_FILE
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.watched_files import file_version

log = EventLog(__name__)


class CertificateFiles:
    """The files that the settings name, and the bundle of `environ`."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._password = settings.kafka_consumer_ssl_key_password
        self._options = kafka_options(settings.model_dump())
        self._usable = self._checked = self._look()

    def read_version(self) -> object:
        """Something that is another once files were changed, and can be used."""
        version = self._look()
        if version != self._checked and None not in version:
            self._checked = version
            defects = list(find_defects(self._options, self._password))
            for defect in defects:
                log.event(events.TLS_RELOAD_FAILED, problem=defect)
            if not defects:
                self._usable = version
        return self._usable

    def _look(self) -> tuple[object, ...]:
        options = self._options
        paths = options.certificate, options.key, options.ca or self._environ.get(SSL_CERT_FILE)
        return tuple(file_version(path) for path in paths if path)
