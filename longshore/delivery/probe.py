"""How far a webhook to a URL would come, without sending one: name, connection, proxy's tunnel, TLS.

It takes the route of a delivery (proxies, trusted certificates, egress policy), so that it finds what deliveries will
meet.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from socket import getaddrinfo
from typing import Any

from longshore.delivery.egress_policy import EgressPolicy
from longshore.delivery.failure_reasons import classify_unsent_error, describe_client_certificate
from longshore.delivery.request_deadline import ConnectStage, RequestDeadline
from longshore.delivery.resolver import AddrInfo, Resolver
from longshore.delivery.send_errors import Denied
from longshore.delivery.session import Session
from longshore.delivery.target import Origin, origin_of, prepare_url
from longshore.delivery.target_options import TargetTable, no_targets
from longshore.invocation.tls_section import TlsOptions
from longshore.network.client_certificate import wants_client_certificate
from longshore.network.no_proxy import strip_credentials

REFUSAL_S = 0.5
"""Seconds that a server gets to refuse a client certificate."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """How far it came."""

    stage: ConnectStage
    """Where it ended; `OPEN` is all the way."""
    reason: str = ""
    """Reason code of what went wrong, empty for nothing."""
    cause: str = ""
    proxy: str = ""
    """The proxy it went through, without user and password; empty for none."""
    addresses: tuple[str, ...] = ()
    """What the name resolves to, in the order tried."""
    protocol: str = ""
    """Version of TLS; empty without TLS."""
    certificate: bytes = field(default=b"", repr=False)
    """The target's certificate (DER); also where it was refused, if it could be fetched."""
    is_checked: bool = True
    """Whether that certificate has to be one of a known CA."""


class Probe:
    """Connects as deliveries do, and sends nothing. `verify` is as in `Sender`, `targets` as the file is now.

    Thread safe.
    """

    def __init__(self, verify: bool, egress_policy: EgressPolicy, targets: TargetTable | None = None) -> None:
        table = targets or no_targets()
        self._addresses: dict[str, tuple[str, ...]] = {}
        self._session = Session(verify, 1, Resolver(self._look_up), egress_policy, lambda: table)

    def check(self, url: str, timeout_s: float, tls: TlsOptions | None = None) -> ProbeResult:
        """Connect to where `url` leads, within `timeout_s` seconds for each of connecting and TLS. Raises BadUrl.

        `tls` are the mapping's own options.
        """
        _, host, port = origin = origin_of(prepare_url(url))
        proxy = strip_credentials(self._session.route(origin).proxy)
        with RequestDeadline(3 * timeout_s) as deadline:
            try:
                conn = self._connect(origin, timeout_s, tls)
            except Denied as error:
                return ProbeResult(deadline.stage, "denied", error.cause, proxy)
            except Exception as error:
                reason, cause = deadline.failure or classify_unsent_error(error, f"{host}:{port}")[1]
                if wants_client_certificate(error) and reason != "proxy":
                    certificate_file = self._session.route(origin, tls).tls.certificate
                    reason, cause = "tls", describe_client_certificate(f"{host}:{port}", certificate_file)
                addresses = self._addresses.get(host.strip("[]"), ())
                certificate = self._certificate(origin, timeout_s) if reason == "tls" else b""
                return ProbeResult(deadline.stage, reason, cause, proxy, addresses, certificate=certificate)
            try:
                protocol, certificate = _tls(conn.sock)
            finally:
                conn.close()
        return ProbeResult(
            ConnectStage.OPEN,
            "",
            "",
            proxy,
            self._addresses.get(host.strip("[]"), ()),
            protocol=protocol,
            certificate=certificate,
            is_checked=self._session.route(origin, tls).tls.verify is not False,
        )

    def close(self) -> None:
        """Close what is still open."""
        self._session.close()

    def _connect(self, origin: Origin, timeout_s: float, tls: TlsOptions | None) -> Any:
        conn = self._session.connect(origin, timeout_s, tls=tls)
        try:
            _await_refusal(conn.sock)
        except BaseException:
            conn.close()
            raise
        return conn

    def _certificate(self, origin: Origin, timeout_s: float) -> bytes:
        """The certificate that was refused, empty if it cannot be had: who issued it is half of the remedy."""
        try:
            with RequestDeadline(2 * timeout_s):
                conn = self._session.connect(origin, timeout_s, verify=False)
        except Exception:
            return b""
        try:
            return _tls(conn.sock)[1]
        finally:
            conn.close()

    def _look_up(self, host: str, port: int, family: int, kind: int) -> Sequence[AddrInfo]:
        results = getaddrinfo(host, port, family, kind)
        self._addresses[host] = tuple(dict.fromkeys(str(each[4][0]) for each in results))
        return results


def _await_refusal(sock: Any) -> None:
    """In TLS 1.3 a server refuses our certificate, or that there is none, after our side of the handshake."""
    if hasattr(sock, "version") and sock.version() == "TLSv1.3":
        sock.settimeout(REFUSAL_S)
        try:
            sock.recv(1)
        except TimeoutError:
            pass


def _tls(sock: Any) -> tuple[str, bytes]:
    """Version and the other side's certificate; empty for a plain connection."""
    if not hasattr(sock, "getpeercert"):
        return "", b""
    return sock.version() or "", sock.getpeercert(binary_form=True) or b""
