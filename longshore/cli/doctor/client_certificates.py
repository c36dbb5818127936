"""The client certificates and CAs that are named for targets, Port and Kafka: usable, whole, and for how long."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from config.target_tls import find_mapping_places, find_places
from config.tls_files import REMEDY, find_defects, kafka_options, port_options
from longshore.cli.doctor.finding import CheckContext, Finding, broken, ok, warning
from longshore.cli.doctor.known_targets import mapping_entries, read_table
from longshore.invocation.tls_section import TlsOptions
from longshore.network import ca_files

SOON = timedelta(days=30)
"""How long before its end a certificate is worth a word."""


def check(context: CheckContext) -> Iterator[Finding]:
    """All that are named."""
    settings = context.settings
    texts = settings.model_dump()
    places = [(f"{place} of TARGETS_FILE", options) for place, options in find_places(read_table(settings))]
    places += find_mapping_places([entry.delivery for entry in mapping_entries(settings)])
    for place, options in places:
        yield from _check_options(place, options)
        if options.verify is False:
            yield warning(f"{place}: the certificates of these targets are not checked", "Name their CA in place of it")
    yield from _check_options("PORT_API_TLS_*", port_options(texts))
    yield from _check_options("KAFKA_CONSUMER_SSL_*", kafka_options(texts), settings.kafka_consumer_ssl_key_password)


def _check_options(place: str, options: TlsOptions, password: str = "") -> Iterator[Finding]:
    if defects := list(find_defects(options, password)):
        yield from (broken(f"{place}: {defect}", REMEDY) for defect in defects)
        return
    if options.certificate:
        chain = x509.load_pem_x509_certificates(ca_files.read(options.certificate))
        yield _check_expiry(f"{place}: the client certificate {options.certificate}", chain)
        if not _is_for_clients(chain[0]):
            yield warning(
                f"{place}: the certificate in {options.certificate} is not for clients, which most servers refuse",
                "Have one issued whose extended key usage has clientAuth; those of public CAs mostly have it no more",
            )
        if any(each.issuer != issuer.subject for each, issuer in pairwise(chain)):
            yield warning(
                f"{place}: the chain in {options.certificate} has a gap, or another order",
                "Write the certificate first, then the one that issued it, and so on",
            )
    if options.ca:
        yield _check_expiry(f"{place}: ca {options.ca}", x509.load_pem_x509_certificates(ca_files.read(options.ca)))


def _is_for_clients(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return True
    return bool({ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(usage))


def _check_expiry(text: str, certificates: list[x509.Certificate]) -> Finding:
    end, now = min(each.not_valid_after_utc for each in certificates), datetime.now(UTC)
    if end < now:
        return broken(f"{text} expired on {end.date()}", "Replace it by the renewed one")
    if end - now < SOON:
        return warning(f"{text} expires on {end.date()}", "Have it renewed; no restart is needed")
    return ok(f"{text} is valid until {end.date()}", until=end.isoformat())
