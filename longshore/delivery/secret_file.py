"""Credentials from files: a token or key, a password. A file is read again when it was changed or replaced."""

import re
from base64 import b64encode

from longshore.delivery.issued_credential import IssuedCredential, NoToken
from longshore.errors import LongshoreError
from longshore.invocation.credentials_section import BasicOptions, BearerOptions, CredentialOptions, OAuth2Options
from longshore.invocation.masking import Mask
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.network import ca_files
from longshore.watched_files import WatchedFiles

log = EventLog(__name__)

MAX_BYTES = 65_536
"""A larger file is no secret but a mistake in the name."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def read_secret(path: str) -> str:
    """What the file at `path` holds, without newlines at its end and a byte order mark. Raises NoToken."""
    try:
        content = ca_files.read(path)
        text = content.decode("utf-8-sig").rstrip("\r\n")
    except OSError as error:
        raise NoToken(path, f"the file cannot be read ({ca_files.describe(error)})") from None
    except UnicodeDecodeError:
        raise NoToken(path, "the file is not UTF-8 text") from None
    if not text or len(content) > MAX_BYTES:
        raise NoToken(path, f"the file is {'too large for a secret' if text else 'empty'}")
    if _CONTROL.search(text):
        raise NoToken(path, "the file holds more than one line, or what is no character: give the secret alone")
    return text


def check_files(options: CredentialOptions) -> None:
    """Raises NoToken for a file of `options` that cannot be used now."""
    if isinstance(options, OAuth2Options):
        read_secret(options.client_secret_file)
    else:
        FileCredential(options).current()


class FileCredential:
    """A credential whose secret is in a file."""

    def __init__(self, options: BearerOptions | BasicOptions) -> None:
        self.place = options.path if isinstance(options, BearerOptions) else options.password_file
        self._options = options
        self._file: WatchedFiles[IssuedCredential] | None = None

    def current(self) -> IssuedCredential:
        """By the file as it is now; as it was before, where it cannot be read any more."""
        if self._file is None:
            self._file = WatchedFiles((self.place,), self._read, self._log_failure)
        return self._file.get()

    issue = current

    def replace(self, refused: IssuedCredential) -> IssuedCredential | None:
        """Only what the file has got meanwhile."""
        credential = self.current()
        return None if credential.value == refused.value else credential

    def _read(self) -> IssuedCredential:
        options, secret = self._options, read_secret(self.place)
        if isinstance(options, BasicOptions):
            login = b64encode(f"{options.username}:{secret}".encode()).decode()
            return IssuedCredential(options.header, f"Basic {login}", Mask((secret, login)), self)
        secret = secret.strip()  # as receivers of headers do: what they repeat has to be masked
        if not (secret and secret.isascii()):
            raise NoToken(self.place, "the file holds what no header can: give one line of ASCII")
        if options.prefix.strip() and secret.lower().startswith(options.prefix.lower()):
            remedy = "leave it out there, or give prefix as an empty text"
            raise NoToken(self.place, f"the file begins with {options.prefix!r}, which is put before it: {remedy}")
        return IssuedCredential(options.header, options.prefix + secret, Mask((secret,)), self)

    def _log_failure(self, error: LongshoreError | OSError) -> None:
        log.event(events.CREDENTIAL_READ_FAILED, path=self.place, problem=str(error))
