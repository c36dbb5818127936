"""Whatever a target does to be slow, its attempt ends with the total deadline, and harms no other."""

import ssl
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from longshore.delivery import Outcome, Verdict
from longshore.delivery.resolver import AddrInfo, Resolver
from tests.support.certificates import Authority
from tests.support.hostile import OK, FullPort, HostileTarget, Script, Talk, answering
from tests.support.posting import Post, make_sender

TOTAL_S = 0.6
LARGE = '"' + "x" * 20_000_000 + '"'

pytestmark = pytest.mark.timeout(40)


def silent(talk: Talk) -> None:
    """Reads the request and never answers."""
    talk.receive()
    talk.hang()


def dripping(start: bytes, drop: bytes, pause_s: float = 0.05) -> Script:
    """Reads the request, then answers with `start` and goes on with `drop` for ever, byte by byte."""

    def script(talk: Talk) -> None:
        talk.receive()
        talk.send(start)
        talk.drip(drop, pause_s)

    return script


def sent_with_deadline(url: str, body: str = "{}", *, verify: bool = True) -> Outcome:
    """The outcome of a request with a short total deadline, and timeouts that cannot be what ended it."""
    sender = make_sender(timeout_s=20, total_s=TOTAL_S, verify=verify)
    try:
        return sender.send(Post(url, body))
    finally:
        sender.close()


UNANSWERED: dict[str, Script] = {
    "silent": silent,
    "drips the status line": dripping(b"", b"HTTP"),
    "endless 100 Continue": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n", pause_s=0.001),
}

CUT_BODIES: dict[str, bytes] = {
    "drips its body": b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
    "drips until it closes": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
    "drips a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n",
}


@pytest.fixture(params=["http", "https"])
def context(request: pytest.FixtureRequest, authority: Authority) -> ssl.SSLContext | None:
    """Every case in the clear and under TLS."""
    return authority.context() if request.param == "https" else None


@pytest.mark.parametrize("case", UNANSWERED)
def test_a_target_that_never_answers_is_cut_and_unknown(case: str, context: ssl.SSLContext | None) -> None:
    """It has the request and may act on it: an answer that does not come in time is no failure."""
    with HostileTarget(UNANSWERED[case], context) as target:
        outcome = sent_with_deadline(target.url(), verify=False)

    assert (Verdict.UNKNOWN, True, "deadline") == (outcome.verdict, outcome.sent, outcome.reason)
    assert target.address in outcome.cause


@pytest.mark.parametrize(("status", "verdict"), [(200, Verdict.DELIVERED), (422, Verdict.GIVE_UP)])
def test_headers_that_never_end_are_cut_and_the_status_stands(
    status: int, verdict: Verdict, context: ssl.SSLContext | None
) -> None:
    """What follows a readable status line can no longer change what became of the request."""
    with HostileTarget(dripping(b"HTTP/1.1 %d Well\r\n" % status, b"X-A: b\r\n"), context) as target:
        outcome = sent_with_deadline(target.url(), verify=False)

    assert (verdict, status) == (outcome.verdict, outcome.status)
    assert outcome.response is not None
    assert outcome.response.truncated


def test_a_target_that_never_reads_is_cut_and_unknown(context: ssl.SSLContext | None) -> None:
    """A part of a large body is in its buffers already."""
    with HostileTarget(Talk.hang, context) as target:
        outcome = sent_with_deadline(target.url(), LARGE, verify=False)

    assert (Verdict.UNKNOWN, True, "deadline") == (outcome.verdict, outcome.sent, outcome.reason)


@pytest.mark.parametrize("case", CUT_BODIES)
def test_a_body_that_never_ends_is_cut_and_the_delivery_stands(case: str, context: ssl.SSLContext | None) -> None:
    """The status is the answer; what came of the body is kept and marked."""
    head = CUT_BODIES[case]
    with HostileTarget(dripping(head, b"a"), context) as target:
        outcome = sent_with_deadline(target.url(), verify=False)

    assert Verdict.DELIVERED is outcome.verdict
    assert outcome.response is not None
    assert outcome.response.truncated
    assert set(outcome.response.text) == {"a"}


@pytest.mark.parametrize(
    "script",
    [Talk.hang, lambda talk: (talk.send(b"\x16\x03\x03\x3f\xff"), talk.drip(b"\x02"))],
    ids=["stalls", "drips a record"],
)
def test_a_handshake_that_never_ends_is_cut_and_retried(script: Script) -> None:
    """Nothing of the request leaves before TLS stands."""
    with HostileTarget(script) as target:
        outcome = sent_with_deadline(target.url().replace("http:", "https:"))

    assert (Verdict.RETRY, False, "deadline") == (outcome.verdict, outcome.sent, outcome.reason)


def test_a_port_that_swallows_connections_is_cut_and_retried() -> None:
    """A firewall that drops packets."""
    with FullPort() as port:
        outcome = sent_with_deadline(f"http://127.0.0.1:{port.port}/")

    assert (Verdict.RETRY, False, "deadline") == (outcome.verdict, outcome.sent, outcome.reason)


def test_a_name_server_that_hangs_is_not_waited_for() -> None:
    """`getaddrinfo` cannot be cut, so the attempt stops waiting for it; asking again costs no further thread."""
    release, lookups = threading.Event(), []

    def hang(host: str, *_: int) -> list[AddrInfo]:
        lookups.append(host)
        release.wait(30)
        return []

    sender = make_sender(timeout_s=0.3, resolver=Resolver(hang))
    outcomes = [sender.send(Post("http://slow.invalid/")) for _ in range(2)]
    release.set()

    assert [(Verdict.RETRY, False, "dns")] * 2 == [(each.verdict, each.sent, each.reason) for each in outcomes]
    assert ["slow.invalid"] == lookups
    assert "slow.invalid" in outcomes[0].cause


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "script",
    [
        Talk.hang,
        silent,
        dripping(b"", b"HTTP/1.1 200 " + b"O" * 99),
    ],
    ids=["never reads", "silent", "drips"],
)
def test_a_proxy_that_hangs_is_cut(script: Script, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tunnel that does not open has carried nothing; a plain request is with the proxy and may be on its way."""
    with HostileTarget(script) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url(""))
        outcome = sent_with_deadline(f"{scheme}://target.invalid/")

    expected = (Verdict.RETRY, False) if scheme == "https" else (Verdict.UNKNOWN, True)
    assert (*expected, "deadline") == (outcome.verdict, outcome.sent, outcome.reason)


def test_a_silent_target_is_not_waited_for_longer_than_a_read_may_take(context: ssl.SSLContext | None) -> None:
    """The timeout for a single read ends it long before the total deadline."""
    sender = make_sender(timeout_s=0.3, verify=False)
    with HostileTarget(silent, context) as target:
        outcome = sender.send(Post(target.url()))

    assert (Verdict.UNKNOWN, True, "read_timeout") == (outcome.verdict, outcome.sent, outcome.reason)
    assert f"{target.address} did not answer within 0.3 s" == outcome.cause


def test_an_ended_attempt_hurts_no_other_on_the_same_connections() -> None:
    """Requests that end about when their deadline does, among others that have time, over shared connections."""

    def script(talk: Talk) -> None:
        while (received := talk.receive()) is not None:
            if "/slow" in received.line:
                talk.target.stopped.wait(0.1)
            talk.send(OK)

    patient = make_sender()
    hasty = make_sender(total_s=0.12)
    hasty._session = patient._session  # the same connections, another deadline

    def work(number: int) -> tuple[bool, Outcome]:
        if number % 2:
            return True, patient.send(Post(target.url("/quick")))
        return False, hasty.send(Post(target.url("/slow")))

    with HostileTarget(script) as target, ThreadPoolExecutor(20) as pool:
        ends = list(pool.map(work, range(400)))
    patient.close()

    assert {Verdict.DELIVERED} == {outcome.verdict for has_time, outcome in ends if has_time}
    assert {outcome.reason for _, outcome in ends} <= {"delivered", "deadline"}


def test_the_deadline_counts_redirects_in() -> None:
    """A target that sends its caller round in circles does not get a new deadline each time."""

    def script(talk: Talk) -> None:
        while talk.receive() is not None:
            talk.target.stopped.wait(0.2)
            talk.send(b"HTTP/1.1 307 Over there\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")

    with HostileTarget(script) as target:
        outcome = sent_with_deadline(target.url())

    assert ("deadline", True) == (outcome.reason, outcome.sent)


def test_a_good_target_is_not_cut(context: ssl.SSLContext | None) -> None:
    """The watchdog leaves alone what is in time."""
    with HostileTarget(answering(OK), context) as target:
        outcome = sent_with_deadline(target.url(), verify=False)

    assert (Verdict.DELIVERED, "delivered") == (outcome.verdict, outcome.reason)
