"""`longshore ca show`: which certificates are trusted, where they come from, and what was left out and why.

Reads what an agent started in this environment would read, and writes nothing. Asks for no credentials, so that it
works before everything else does.
"""

import os
import warnings
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any

import certifi
import typer
from cryptography import x509
from pydantic import ValidationError

from config.environment import read_environment
from config.settings import Settings
from config.user_ca_bundle import SSL_CERT_FILE, find_defect, find_problems, find_requests_bundle, user_value
from config.validation_messages import describe_errors
from longshore.cli import terminal
from longshore.errors import EX_CONFIG, ConfigProblems
from longshore.network import private_path
from longshore.network.ca_bundle import Bundle, BundleSource
from longshore.network.ca_files import printable
from longshore.runtime import ca_trust

NEEDED = (
    "longshore_ca_dir",
    "longshore_ca_bundle",
    "longshore_ca_check_s",
    "webhook_verify_ssl",
    "kafka_consumer_security_protocol",
)

commands = typer.Typer(no_args_is_help=True)


@commands.callback()
def _ca() -> None:
    """Look at the certificates that are trusted."""


@commands.command()
def show(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object instead of lines.")] = False,
) -> None:
    """Print what was found, what was skipped and why, and which bundle is in effect for webhooks, Port and Kafka.

    Exits with 78 when a bundle that was named cannot be used.
    """
    settings = _settings()
    report = TrustReport.of(settings)
    if as_json:
        terminal.print_json(report.as_json())
    else:
        terminal.print_lines(*report.as_lines())
    for problem in report.problems:
        terminal.say(problem)
    if report.problems:
        raise typer.Exit(EX_CONFIG)


@dataclass(frozen=True, slots=True)
class TrustReport:
    """All that the command shows."""

    settings: Settings
    bundle: Bundle
    state: str
    uses: dict[str, dict[str, str | None]]
    problems: list[str]

    @classmethod
    def of(cls, settings: Settings) -> "TrustReport":
        """What an agent with `settings` finds in this environment."""
        bundle = ca_trust.assemble(settings)
        path = settings.longshore_ca_bundle
        environ = dict(os.environ)
        wrong = [str(problem) for problem in find_problems(environ, path)]
        if (own := user_value(environ, SSL_CERT_FILE, path)) is not None and (problem := find_defect(own)) is not None:
            wrong.append(f'SSL_CERT_FILE: "{own}" {problem}. Kafka cannot use it.')
        if bundle.text:
            ca_trust.export(environ, path)
        return cls(settings, bundle, _state(settings, bundle.text), _uses(settings, environ), wrong)

    def as_json(self) -> dict[str, Any]:
        """As a JSON object."""
        system = self.bundle.system
        return {
            "system": None if system is None else {"path": system.path, "certificates": len(system.certificates)},
            "folder": str(self.settings.longshore_ca_dir),
            "files": [
                {
                    "path": printable(source.path),
                    "certificates": [_described(certificate) for certificate in source.certificates],
                    "skipped": list(source.skip_reasons),
                }
                for source in self.bundle.files
            ],
            "bundle": {
                "path": str(self.settings.longshore_ca_bundle),
                "certificates": _count(self.bundle),
                "state": self.state,
            },
            "in_effect": self.uses,
            "problems": self.problems,
        }

    def as_lines(self) -> list[str]:
        """As lines for a person."""
        system = self.bundle.system
        lines = [f"System: {system.path}, {_number(len(system.certificates))}" if system else "System: none found"]
        lines.append(f"Folder: {self.settings.longshore_ca_dir}{'' if self.bundle.files else ', no files in it'}")
        for source in self.bundle.files:
            lines += _lines(source)
        lines.append(f"Bundle: {self.settings.longshore_ca_bundle}, {_number(_count(self.bundle))}, {self.state}")
        for use, use_state in self.uses.items():
            lines.append(f"{use}: {use_state['bundle'] or 'no bundle'} ({use_state['reason']})")
        return lines


def _settings() -> Settings:
    """The few settings that matter here; the others may be missing or wrong."""
    environ = read_environment()
    values = {name: environ[name.upper()] for name in NEEDED if name.upper() in environ}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigProblems(describe_errors(error, secret=())) from None


def _uses(settings: Settings, environ: dict[str, str]) -> dict[str, dict[str, str | None]]:
    """For each use the bundle in effect (None: none) and why it is this one."""
    chosen = find_requests_bundle(environ, settings.longshore_ca_bundle)
    if chosen is not None:
        requests = {"bundle": chosen[1], "reason": f"{chosen[0]} is set"}
    elif environ.get("REQUESTS_CA_BUNDLE"):
        requests = {"bundle": environ["REQUESTS_CA_BUNDLE"], "reason": "assembled"}
    else:
        requests = {"bundle": certifi.where(), "reason": "nothing was assembled"}
    webhooks: dict[str, str | None] = {**requests}
    if not settings.webhook_verify_ssl:
        webhooks = {"bundle": None, "reason": "WEBHOOK_VERIFY_SSL=false: certificates are not checked"}
    protocol = settings.kafka_consumer_security_protocol
    if "ssl" not in protocol.lower():
        kafka: dict[str, str | None] = {
            "bundle": None,
            "reason": f"KAFKA_CONSUMER_SECURITY_PROTOCOL={protocol}: without TLS",
        }
    else:
        path = environ.get(SSL_CERT_FILE)
        own = user_value(environ, SSL_CERT_FILE, settings.longshore_ca_bundle) is not None
        because = "SSL_CERT_FILE is set" if own else "assembled" if path else "librdkafka's own choice"
        kafka = {"bundle": path, "reason": because}
    return {"webhooks": webhooks, "port": {**requests}, "kafka": kafka}


def _state(settings: Settings, text: str) -> str:
    """How the file on disk compares with what was found now."""
    try:
        if (problem := private_path.find_exposure(settings.longshore_ca_bundle.parent)) is not None:
            return f"never written: others could replace it, {problem}"
        current = settings.longshore_ca_bundle.read_text("ascii", "replace")
    except OSError:
        return "not written: an agent does it when it starts"
    if current == text:
        return "up to date"
    return f"out of date: a running agent renews it within {settings.longshore_ca_check_s:g} s"


def _lines(source: BundleSource) -> list[str]:
    name = printable(source.path)
    certificates = [_described(certificate) for certificate in source.certificates]
    lines = [f"  loaded   {name}: {each['subject']}, valid until {each['not_after']}" for each in certificates]
    return lines + [f"  skipped  {name}: {reason}" for reason in source.skip_reasons]


def _described(certificate: bytes) -> dict[str, str]:
    """What identifies a DER certificate for a person."""
    described = {"subject": "?", "issuer": "?", "not_after": "?", "sha256": sha256(certificate).hexdigest()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's opinions on what old CAs wrote
        try:
            parsed = x509.load_der_x509_certificate(certificate)
            described["subject"] = parsed.subject.rfc4514_string()
            described["issuer"] = parsed.issuer.rfc4514_string()
            described["not_after"] = parsed.not_valid_after_utc.date().isoformat()
        except ValueError:
            pass  # OpenSSL takes more than this library reads
    return described


def _count(bundle: Bundle) -> int:
    return sum(len(source.certificates) for source in [*([bundle.system] if bundle.system else []), *bundle.files])


def _number(count: int) -> str:
    return "1 certificate" if count == 1 else f"{count} certificates"
