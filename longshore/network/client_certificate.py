"""The certificate that a client shows, and its key: loaded into a TLS context, or what is wrong with them."""

import ssl
from codecs import BOM_UTF8

from longshore.errors import LongshoreError
from longshore.network import ca_files
from longshore.network.causes import cause_of

_CLIENT_CERTIFICATE_ALERTS = frozenset(
    {
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        # What servers say before TLS 1.3 of the certificate that they did not get.
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_NO_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "TLSV1_ALERT_UNKNOWN_CA",
    }
)

MAX_PASSWORD_BYTES = 1_024
"""Longest password that OpenSSL takes."""


class CertificateUnusable(LongshoreError):
    """The client certificate in `path`, or its key, cannot be used: `problem` says why, and holds no secret."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"the client certificate {self.path} cannot be used: {self.problem}"


def load(
    context: ssl.SSLContext, certificate: str, key: str = "", key_password_file: str = "", password: bytes = b""
) -> None:
    """Let `context` show the certificate in the PEM file `certificate`, and its chain. Raises CertificateUnusable.

    An empty `key` is in that file, too. Its password, if it has one, is `password` or in a file.
    """
    content = {path: _read(certificate, path) for path in (certificate, key, key_password_file) if path}
    password = password or content.get(key_password_file, b"").removeprefix(BOM_UTF8).rstrip(b"\r\n")
    if len(password) > MAX_PASSWORD_BYTES:
        raise CertificateUnusable(certificate, f"{key_password_file} is too large for a password")
    try:
        # Not a plain password: for an empty one OpenSSL would ask at the terminal, and wait.
        context.load_cert_chain(certificate, key or None, lambda: password)
    except (OSError, ValueError) as error:
        key = key or certificate
        problem = _explain(certificate, content[certificate], key, content[key], password) or _reason_of(error)
        raise CertificateUnusable(certificate, problem) from None


def wants_client_certificate(error: Exception) -> bool:
    """Was the connection refused for want of a client certificate?

    In TLS 1.3 that comes after our handshake, in place of an answer; in TLS 1.2 as one of several alerts within it.
    """
    failure = cause_of(error, ssl.SSLError)
    if failure is None or failure.reason is None:
        return False
    return failure.reason in _CLIENT_CERTIFICATE_ALERTS or (
        failure.reason == "SSLV3_ALERT_HANDSHAKE_FAILURE" and getattr(failure, "has_cipher", False)
    )


def _read(certificate: str, path: str) -> bytes:
    try:
        return ca_files.read(path)
    except OSError as error:
        place = "it" if path == certificate else path
        raise CertificateUnusable(certificate, f"{place} cannot be read ({ca_files.describe(error)})") from None


def _explain(certificate: str, certificate_data: bytes, key: str, key_data: bytes, password: bytes) -> str:
    """What is wrong; empty for what this library does not object to. OpenSSL's own errors hardly say it."""
    from cryptography import x509  # here, as whoever has no certificate to show needs it not
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        certificates = x509.load_pem_x509_certificates(certificate_data)
    except ValueError:
        return f"there is no PEM certificate in {certificate}, or a damaged one"
    try:
        private_key = load_pem_private_key(key_data, password or None)
    except TypeError:
        # With a password it is one that the key does not need, which OpenSSL does not mind.
        return "" if password else f"the key in {key} is encrypted: name the file of its password in key_password_file"
    except (ValueError, UnsupportedAlgorithm):
        which = "its password is another" if password else "it is damaged"
        return f"there is no PEM key in {key} that can be read, or {which}"
    if private_key.public_key() != certificates[0].public_key():
        return f"the key in {key} is not that of the first certificate in {certificate}"
    return ""


def _reason_of(error: Exception) -> str:
    reason = getattr(error, "reason", None) or type(error).__name__
    if reason == "KEY_VALUES_MISMATCH":  # what was read before was right
        return "a file was replaced while it was read"
    return f"OpenSSL does not take it ({reason}): is a line of a file indented, or one cut off?"
