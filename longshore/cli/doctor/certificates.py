"""The trusted certificates: what the bundle holds, what was left out, what has expired or soon will."""

import os
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cryptography import x509

from config.user_ca_bundle import SSL_CERT_FILE, find_defect, find_problems, find_requests_bundle, user_value
from longshore.cli.doctor import client_certificates
from longshore.cli.doctor.finding import CheckContext, Finding, broken, ok, warning
from longshore.network import ca_files
from longshore.network.pem import extract
from longshore.runtime import ca_trust

SOON = timedelta(days=30)
"""How long before its end a certificate is worth a word: renewing a CA takes people days."""


def check(context: CheckContext) -> Iterator[Finding]:
    """What webhooks, Port and Kafka trust. The public CAs are only counted: they come and go with the system."""
    settings = context.settings
    bundle = ca_trust.assemble(settings)
    public = len(bundle.system.certificates) if bundle.system else 0
    mounted = [(source.path, each) for source in bundle.files for each in source.certificates]
    if public + len(mounted):
        yield ok(
            f"{public} public certificates and {len(mounted)} below {settings.longshore_ca_dir} are trusted",
            public=public,
            mounted=len(mounted),
        )
    else:
        yield broken("no trusted certificates were found", "Install the package ca-certificates, or mount your CA's")
    for path, reason in bundle.warnings:
        yield warning(f"left out of {path}: {reason}", "Give PEM or DER certificates; `longshore ca show` lists them")
    for path, der in mounted:
        yield from _expiry(path, der)
    yield from _own_bundles(context)
    yield from client_certificates.check(context)
    if not settings.webhook_verify_ssl:
        yield warning(
            "certificates of webhook targets are not checked (WEBHOOK_VERIFY_SSL=false)",
            "Mount the certificate of their CA instead, and take the variable out",
        )


def _own_bundles(context: CheckContext) -> Iterator[Finding]:
    """Bundles that the user named win over the assembled one."""
    assembled = context.settings.longshore_ca_bundle
    bundles = dict([bundle] if (bundle := find_requests_bundle(context.environ, assembled)) is not None else [])
    if (own := user_value(context.environ, SSL_CERT_FILE, assembled)) is not None:
        bundles[SSL_CERT_FILE] = own
        if (problem := find_defect(own)) is not None:
            yield broken(f'SSL_CERT_FILE: "{own}" {problem}, so Kafka cannot use it', "Name a PEM file, or take it out")
    for error in find_problems(context.environ, assembled):
        yield broken(f"{error.variable}: {error.problem}", error.remedy)
    for name, path in bundles.items():
        if find_defect(path) is None:
            yield from _check_named(name, path)


def _check_named(name: str, path: str) -> Iterator[Finding]:
    if os.path.isdir(path):
        yield ok(f"{name} names the folder {path}, which is used in place of the assembled bundle")
        return
    certificates = extract(ca_files.read(path)).certificates
    expired_count = sum(end < datetime.now(UTC) for each in certificates if (end := ends(each)) is not None)
    yield ok(
        f"{name} names {path} with {len(certificates)} certificates, used in place of the assembled bundle",
        expired=expired_count,
    )
    if certificates and expired_count == len(certificates):
        yield broken(f"all certificates of {path} have expired", f"Renew them, or take {name} out")


def _expiry(path: str, der: bytes) -> Iterator[Finding]:
    end = ends(der)
    if end is None:
        return
    file, now = ca_files.printable(path), datetime.now(UTC)
    if end < now:
        yield warning(f"a certificate in {file} expired on {end.date()}", "Replace it by the renewed one")
    elif end - now < SOON:
        yield warning(f"a certificate in {file} expires on {end.date()}", "Mount its successor beside it in time")


def ends(der: bytes) -> datetime | None:
    """When a certificate expires; None if this library cannot read it."""
    parsed = read(der)
    return None if parsed is None else parsed.not_valid_after_utc


def read(der: bytes) -> x509.Certificate | None:
    """A certificate; None if this library cannot read it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's opinions on what old CAs wrote
        try:
            return x509.load_der_x509_certificate(der)
        except ValueError:
            return None
