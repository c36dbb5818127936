"""Certificates for any host, signed by a CA of the user's choice: with them the proxy opens what is encrypted."""

import ipaddress
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from longshore.errors import ConfigError

DAYS = 7
MAX_HOSTS = 1_000
_PEM = serialization.Encoding.PEM


class Authority:
    """Signs a certificate for each host that is asked for, with one key of its own for all of them."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Reads the CA's certificate and its private key without a password, PEM. Raises `ConfigError`."""
        try:
            self._certificate = x509.load_pem_x509_certificate(certificate.read_bytes())
            signing_key = serialization.load_pem_private_key(key.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            remedy = "Give the CA's certificate and its key without a password, as PEM files"
            raise ConfigError("--ca-cert and --ca-key", f"cannot be read ({type(error).__name__})", remedy) from None
        if self._certificate.public_key() != signing_key.public_key():
            raise ConfigError("--ca-key", "is not the key of the certificate", "Give the two files of one CA")
        self._signing_key = signing_key
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._contexts: dict[str, ssl.SSLContext] = {}

    def context(self, host: str) -> ssl.SSLContext:
        """A server's TLS context that shows a certificate for `host`."""
        if host not in self._contexts:
            if len(self._contexts) >= MAX_HOSTS:
                self._contexts.clear()
            self._contexts[host] = self._make_context(host)
        return self._contexts[host]

    def _make_context(self, host: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pem = self._key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        # The only way to hand them over is by a file, which nobody else may read and which is gone at once.
        with tempfile.NamedTemporaryFile(prefix="longshore-shadow-") as file:
            file.write(pem + self._sign(host) + self._certificate.public_bytes(_PEM))
            file.flush()
            context.load_cert_chain(file.name)
        return context

    def _sign(self, host: str) -> bytes:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(
            issuer_name=self._certificate.subject,
            subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])]),
            public_key=self._key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - timedelta(days=1),
            not_valid_after=now + timedelta(days=DAYS),
        )
        for extension, is_critical in (
            (x509.SubjectAlternativeName([_general_name(host)]), False),
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), False),
            (_authority_key_identifier(self._certificate), False),
        ):
            builder = builder.add_extension(extension, is_critical)
        # Keys of Ed25519 have a hash of their own; those of RSA and of curves need one.
        algorithm = hashes.SHA256() if hasattr(self._signing_key, "key_size") else None
        return builder.sign(self._signing_key, algorithm).public_bytes(_PEM)  # type: ignore[arg-type]


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host.encode("idna").decode())


def _authority_key_identifier(certificate: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """By the CA's own identifier, where it has one."""
    try:
        identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(certificate.public_key())  # type: ignore[arg-type]
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
