"""The targets: name, connection and TLS of each, on the way that its webhooks take."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from config.egress import build_egress_policy, collect_internal_services
from longshore.cli.doctor.certificates import read
from longshore.cli.doctor.finding import CheckContext, Finding, broken, ok, warning
from longshore.cli.doctor.known_targets import known_brokers, known_targets, literal_urls, read_table
from longshore.delivery.probe import Probe, ProbeResult
from longshore.delivery.request_deadline import ConnectStage

MOST = 100
"""Targets that are looked at; in the order command line, mapping file, ledger."""
AT_ONCE = 16
SOON = timedelta(days=14)
"""How long before its end a target's certificate is worth a word; public ones are renewed earlier."""

_REMEDIES = {
    "dns": "Check the name for slips, and the name servers of this machine (/etc/resolv.conf)",
    "connect_refused": "Check the port, and that the service runs",
    "connect_timeout": "Ask for a way through the firewall, or set HTTPS_PROXY if a proxy is to be used",
    "connect_failed": "Check the network between this machine and the target",
    "proxy": "Check HTTPS_PROXY and HTTP_PROXY, and NO_PROXY for targets to be called directly",
    "tls": "Mount the certificate of its CA below LONGSHORE_CA_DIR; `longshore ca show` says what is trusted",
    "denied": "See docs/how-to/outgoing-safety.md",
    "deadline": "Check the network between this machine and the target",
}


def check(context: CheckContext) -> Iterator[Finding]:
    """Connects to each known target, sends nothing, and hangs up."""
    targets = known_targets(context)
    if targets.unasked:
        yield warning(f"targets of the ledger are not looked at: {targets.unasked}", "See what is said of Redis")
    if not targets.urls:
        yield ok("none is known yet: name some with --url")
        return
    if (unchecked := len(targets.urls) - MOST) > 0:
        yield warning(
            f"{unchecked} more targets are known than the {MOST} that are looked at", "Name others with --url"
        )
    egress_policy = build_egress_policy(context.settings)
    settled = context.settings.kafka_consumer_bootstrap_servers.split(",")
    egress_policy.internal_services = collect_internal_services(
        context.settings, [*settled, *known_brokers(context.settings)]
    )
    own = literal_urls(context.settings)
    probe = Probe(context.settings.webhook_verify_ssl, egress_policy, read_table(context.settings))
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="probe")
    try:
        for url, reached in zip(
            targets.urls,
            pool.map(lambda url: probe.check(url, context.connect_s, own.get(url)), targets.urls[:MOST]),
            strict=False,
        ):
            yield from report(url, reached)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        probe.close()


def report(url: str, reached: ProbeResult) -> Iterator[Finding]:
    """One line for each step on the way, up to the one that failed."""
    facts = {"target": url, "proxy": reached.proxy or None}
    through = f" through {reached.proxy}" if reached.proxy else ""
    if reached.reason == "denied":
        yield broken(f"{url}: {reached.cause}", _REMEDIES["denied"], step="fence", **facts)
        return
    if not reached.proxy and reached.stage > ConnectStage.RESOLVE:
        at = ", ".join(reached.addresses[:4]) or "an address already"
        yield ok(f"{url} DNS: {at}", step="dns", addresses=list(reached.addresses), **facts)
    if reached.stage > (ConnectStage.TUNNEL if reached.proxy else ConnectStage.CONNECT):
        yield ok(f"{url} TCP: connected{through}", step="tcp", **facts)
    if reached.reason:
        yield _failed(url, reached, facts)
    elif reached.protocol:
        yield _tls(url, reached, facts)
    elif reached.proxy:
        yield ok(f"{url}: the proxy takes connections; what lies behind it shows with a request", step="proxy", **facts)


def _failed(url: str, reached: ProbeResult, facts: dict[str, str | None]) -> Finding:
    step = {"dns": "dns", "tls": "tls", "proxy": "proxy"}.get(reached.reason, "tcp")
    issuer = _issuer(reached.certificate) if reached.reason == "tls" else ""
    cause = reached.cause + (f" (it was issued by {issuer})" if issuer else "")
    cause = cause.removeprefix(f"{step.upper()}: ")
    remedy = _REMEDIES.get(reached.reason, "Check the URL")
    if "client certificate" in cause:
        remedy = "See docs/how-to/client-certificates.md"
    return broken(
        f"{url} {step.upper() if step != 'proxy' else 'proxy'}: {cause}",
        remedy,
        step=step,
        reason=reached.reason,
        **facts,
    )


def _tls(url: str, reached: ProbeResult, facts: dict[str, str | None]) -> Finding:
    certificate_data = read(reached.certificate)
    if certificate_data is None:
        return ok(f"{url} TLS: {reached.protocol}", step="tls", **facts)
    end, issuer = certificate_data.not_valid_after_utc, _issuer(reached.certificate)
    text = f"{url} TLS: {reached.protocol}, issued by {issuer}, valid until {end.date()}"
    if not reached.is_checked:
        remedy = "Mount its CA's certificate, and take out what switches this off: WEBHOOK_VERIFY_SSL, or verify"
        return warning(f"{text}, not checked", remedy, **facts)
    if end - datetime.now(UTC) < SOON:
        return warning(f"{text}: soon over", "Have it renewed by whoever runs the target", step="tls", **facts)
    return ok(text, step="tls", issuer=issuer, until=end.isoformat(), **facts)


def _issuer(certificate: bytes) -> str:
    certificate_data = read(certificate) if certificate else None
    return certificate_data.issuer.rfc4514_string() if certificate_data is not None else ""
