"""Files of certificates that settings name: whether they can be used; those for targets are in `target_tls`."""

import ssl
from collections.abc import Iterator, Mapping

from config.user_ca_bundle import find_defect
from longshore.errors import ConfigError
from longshore.invocation.tls_section import TlsOptions
from longshore.network import client_certificate

REMEDY = "Correct the file, or name another; docs/how-to/client-certificates.md says how"


def find_defects(options: TlsOptions, password: str = "") -> Iterator[str]:
    """Why the certificate, its key (with `password`, if it has one) or the CAs cannot be used."""
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        files = options.certificate, options.key, options.key_password_file
        try:
            client_certificate.load(context, *files, password.encode())
        except client_certificate.CertificateUnusable as error:
            yield str(error)
    if options.ca and (defect := find_defect(options.ca)) is not None:
        yield f'ca: "{options.ca}" {defect}'


def port_options(texts: Mapping[str, str]) -> TlsOptions:
    """What the settings, as texts by field name, have for the Port API."""
    names = "port_api_tls_certificate", "port_api_tls_key", "port_api_tls_key_password_file"
    certificate, key, password_file = (texts.get(name, "") for name in names)
    return TlsOptions(certificate, key, password_file)


def kafka_options(texts: Mapping[str, str]) -> TlsOptions:
    """What they have for Kafka, but for the password of the key."""
    certificate, key, ca = (
        texts.get(f"kafka_consumer_ssl_{name}_location", "") for name in ("certificate", "key", "ca")
    )
    return TlsOptions(certificate, key, ca=ca)


def find_port_problems(texts: Mapping[str, str]) -> Iterator[ConfigError]:
    """What is wrong with the client certificate for the Port API."""
    yield from _find_problems("PORT_API_TLS_CERTIFICATE", port_options(texts), "")


def find_kafka_problems(texts: Mapping[str, str]) -> Iterator[ConfigError]:
    """What is wrong with the certificates for Kafka."""
    options, password = kafka_options(texts), texts.get("kafka_consumer_ssl_key_password", "")
    yield from _find_problems("KAFKA_CONSUMER_SSL_CERTIFICATE_LOCATION", options, password)
    protocol = texts.get("kafka_consumer_security_protocol") or "plaintext"
    if options != TlsOptions() and "ssl" not in protocol.lower():
        problem = f"is {protocol}, which uses none of the certificates in KAFKA_CONSUMER_SSL_*"
        yield ConfigError("KAFKA_CONSUMER_SECURITY_PROTOCOL", problem, "Give ssl or SASL_SSL")


def _find_problems(variable: str, options: TlsOptions, password: str) -> Iterator[ConfigError]:
    if (options.key or options.key_password_file or password) and not options.certificate:
        yield ConfigError(variable, "is missing although a key is given", "Name the certificate, too")
    for defect in find_defects(options, password):
        yield ConfigError(variable, defect, REMEDY)
