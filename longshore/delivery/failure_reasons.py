"""What went wrong, as a reason code and as a sentence for a person.

The sentences name host and port, and the remedy where there is one. They never quote what a target or a proxy wrote,
nor a URL, since its query and its user name may be secrets.
"""

import errno
import re
import socket
import ssl
from http.client import HTTPException, IncompleteRead, RemoteDisconnected

from requests.exceptions import InvalidProxyURL
from urllib3.exceptions import LocationValueError
from urllib3.exceptions import TimeoutError as Urllib3Timeout

from longshore.delivery.outcome import Response
from longshore.delivery.request_deadline import ConnectStage, RequestDeadline
from longshore.delivery.send_errors import Unsendable
from longshore.network.answer import TlsAlert
from longshore.network.causes import cause_of, causes
from longshore.network.client_certificate import CertificateUnusable, wants_client_certificate
from longshore.network.connections import TunnelRefused, describe_login
from longshore.network.socks_proxy import SocksRefused
from longshore.network.tls import BundleUnreadable

Failure = tuple[str, str]
"""Reason code and cause."""

_MOUNT_CA = (
    "mount the certificate of its CA below /usr/local/share/ca-certificates, or name a bundle in REQUESTS_CA_BUNDLE"
)

_VERIFICATION_CAUSES = {
    # OpenSSL's verification results (x509_vfy.h).
    10: "certificate of {peer} has expired: renew it",
    9: "certificate of {peer} is not valid yet: check the clocks",
    62: "certificate of {peer} is for another host name: use a name that it holds, or issue one for this name",
    64: "certificate of {peer} is for another IP address: use a name that it holds, or issue one for this address",
}
_UNKNOWN_CA = f"certificate of {{peer}} is not signed by a known CA: {_MOUNT_CA}"

_WANTS_CERTIFICATE = "wants a client certificate"

_TLS_PORT_TEXT = re.compile(
    r"plain HTTP request was sent to HTTPS port|speaking plain HTTP to an SSL-enabled server"
    r"|sent an HTTP request to an HTTPS server|combination of host and port requires TLS"
)
_NO_CERTIFICATE_TEXT = "No required SSL certificate was sent"
"""What nginx says with 400."""
NEEDS_HTTPS = "does the URL need https:// instead of http://?"

_LOCAL_CAUSES = {
    # What is wrong on our side of the wire.
    errno.EMFILE: "too many open files in this process: raise its limit (ulimit -n), or lower WORKER_SLOTS",
    errno.ENFILE: "too many open files on this machine",
    errno.EADDRNOTAVAIL: "no free local port to connect to {peer} from: too many connections at once",
    errno.ENETUNREACH: "no route to the network of {peer}",
    errno.EHOSTUNREACH: "no route to {peer}",
    errno.ECONNRESET: "{peer} broke off the connection at once",
    errno.EACCES: "a firewall rule forbids connecting to {peer}",
    errno.EPERM: "a firewall rule forbids connecting to {peer}",
}


def classify_connect_error(error: Exception, deadline: RequestDeadline) -> Failure:
    """Why no connection came about; nothing of the request has left."""
    reason, cause = _classify_connect_stage(error, deadline.stage, deadline.peer)
    if deadline.peer_is_proxy:
        return "proxy", f"through the proxy {deadline.peer}: {cause}"
    return reason, cause


def _classify_connect_stage(error: Exception, stage: ConnectStage, peer: str) -> Failure:
    is_timeout = cause_of(error, TimeoutError) is not None
    if stage is ConnectStage.RESOLVE:
        return "dns", _describe_dns(error, peer.rpartition(":")[0], is_timeout)
    if stage is ConnectStage.TUNNEL:
        return "proxy", _describe_tunnel(error, is_timeout)
    if stage is ConnectStage.TLS:
        return "tls", _describe_tls(error, peer, is_timeout)
    if is_timeout:
        return "connect_timeout", f"{peer} did not accept the connection in time: is a firewall dropping it?"
    code = next((each.errno for each in causes(error) if isinstance(each, OSError) and each.errno), 0)
    if code == errno.ECONNREFUSED:
        return "connect_refused", f"connection refused by {peer}: nothing listens there"
    return "connect_failed", _LOCAL_CAUSES.get(code, "no connection to {peer}").format(peer=peer)


def _describe_dns(error: Exception, host: str, is_timeout: bool) -> str:
    if is_timeout:
        return f"DNS: no name server answered in time for {host}"
    failure = cause_of(error, socket.gaierror)
    if failure is not None and failure.errno == socket.EAI_AGAIN:
        return f"DNS: the name servers cannot say now where {host} is"
    if failure is None and cause_of(error, UnicodeError) is None:
        return f"DNS: looking up {host} failed on our side"
    return f"DNS: no such host {host}"


def _describe_tunnel(error: Exception, is_timeout: bool) -> str:
    if is_timeout:
        return "it did not open the tunnel in time"
    if (socks_refusal := cause_of(error, SocksRefused)) is not None:
        return f"it {socks_refusal}"
    refusal = cause_of(error, TunnelRefused)
    if refusal is None:
        return "it broke off while opening the tunnel"
    if refusal.status == 407:
        return f"it {describe_login(refusal.schemes)}"
    return f"it refused to open the tunnel ({refusal.status})"


def _describe_tls(error: Exception, peer: str, is_timeout: bool) -> str:
    verification = cause_of(error, ssl.SSLCertVerificationError)
    if verification is not None:
        return "TLS: " + _VERIFICATION_CAUSES.get(verification.verify_code, _UNKNOWN_CA).format(peer=peer)
    if is_timeout:
        return f"TLS: {peer} did not finish the handshake in time"
    if wants_client_certificate(error):
        return f"TLS: {peer} {_WANTS_CERTIFICATE}, and there is none to show"
    failure = cause_of(error, ssl.SSLError)
    if failure is not None and failure.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
        return f"TLS: {peer} does not speak TLS: does the URL need http:// instead of https://?"
    detail = f" ({failure.reason})" if failure is not None and failure.reason else ""
    return f"TLS: the handshake with {peer} failed{detail}"


def describe_client_certificate(target: str, certificate: str) -> str:
    """What to do where `target` (host:port) refused the connection for want of a client certificate.

    `certificate` is the file of the one that it was shown; empty for none.
    """
    if certificate:
        return f"TLS: {target} does not accept the client certificate {certificate}: has it expired, or another CA?"
    return f"TLS: {target} {name_certificate(target)}"


def name_certificate(target: str) -> str:
    """What `target` (host:port) wants, and the remedy, to go on behind its name."""
    return f"{_WANTS_CERTIFICATE}: name one for host {target.rpartition(':')[0]} in TARGETS_FILE, or in the mapping"


def classify_tls_rejection(error: Exception, target: str, certificate: str) -> Failure | None:
    """Why `target` refused a request that had left, where it surely has not seen it; None where it may have.

    `certificate` is the file of the client certificate that it was shown; empty for none.
    """
    if wants_client_certificate(error):
        return "tls", describe_client_certificate(target, certificate)
    if cause_of(error, TlsAlert) is not None:
        return "tls", f"TLS: {target} speaks TLS: {NEEDS_HTTPS}"
    return None


def is_tls_port_response(response: Response) -> bool:
    """Does a TLS server say in plain HTTP that it was called in plain HTTP, as nginx, Apache, Go and Tomcat do?"""
    return response.status == 400 and _TLS_PORT_TEXT.search(response.text, 0, 4_096) is not None


def is_certificate_response(response: Response) -> bool:
    """Does a TLS server ask in HTTP for a client certificate?"""
    return response.status == 400 and _NO_CERTIFICATE_TEXT in response.text[:4_096]


def classify_missing_response(error: Exception, timeout_s: float, target: str) -> Failure:
    """Why there is no answer to a request that has (or may have) left for `target` (host:port)."""
    if cause_of(error, TimeoutError) is not None or cause_of(error, Urllib3Timeout) is not None:
        return "read_timeout", f"{target} did not answer within {timeout_s:g} s"
    protocol_error = cause_of(error, HTTPException)
    if protocol_error is not None and not isinstance(protocol_error, RemoteDisconnected | IncompleteRead):
        return "bad_answer", f"{target} answered, but not in HTTP that can be read"
    return "connection_lost", f"{target} closed the connection without answering"


def classify_unsent_error(error: Exception, target: str) -> tuple[bool, Failure]:
    """Why a request did not even get as far as a connection, and whether that is final.

    Final is what is wrong with the request itself. A broken proxy setting is not: somebody will mend it.
    """
    if isinstance(error, BundleUnreadable | CertificateUnusable):
        return False, ("tls", f"TLS: {error}")
    if isinstance(error, InvalidProxyURL):
        remedy = "it must be http://host:port, https:// or socks5h://, what is special in a password percent-encoded"
        return False, ("proxy", f"the proxy set for {target} cannot be used: {remedy}")
    if isinstance(error, ValueError | LocationValueError | Unsendable):
        return True, ("bad_request", f"no request to {target} can be made of what the mapping gave")
    return False, ("unexpected", f"sending to {target} failed with {type(error).__name__}")
