"""What reaches Slack, Teams and others: through the company's proxy, with the company's CA, and no secret in a log."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.notification.destinations import Destination, UnusableUrl
from longshore.sandbox.http_server import HttpAnswer
from tests.support.certificates import Authority
from tests.support.programs import longshore
from tests.support.receiver import Receiver, receivers
from tests.support.relays import ForwardProxy, TlsFront

SLACK = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7a"
TEAMS_HOST = "prod-1.westeurope.logic.azure.com"
TEAMS = (
    f"https://{TEAMS_HOST}:443/workflows/643fcf8c8b2b643fcf8c8b2b643fcf8c/triggers/manual/paths/invoke"
    "?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=aSignatureThatIsLong_123456789"
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receivers(1) as (receiver,):
        yield receiver


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "ca")


def send(url: str, title: str = "Longshore: 1 dead letter", body: str = "1 dead letter:\n- 1 × http://a:80: x") -> str:
    return Destination(url).send(title, body, 30)


@pytest.mark.parametrize(("url", "host"), [(SLACK, "hooks.slack.com"), (TEAMS, TEAMS_HOST)])
def test_a_message_takes_the_proxy_and_trusts_the_bundle(
    url: str, host: str, receiver: Receiver, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As webhooks and Port do: HTTPS_PROXY and REQUESTS_CA_BUNDLE."""
    receiver.answer = HttpAnswer(200, b"ok" if host == "hooks.slack.com" else b"")
    front = TlsFront(authority.context(host), receiver.port)
    with front, ForwardProxy(hosts={f"{host}:443": front.port}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        assert "CERTIFICATE_VERIFY_FAILED" in send(url)
        assert not receiver.requests

        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
        assert "" == send(url)
        assert proxy.saw(f"CONNECT {host}:443")
    (request,) = receiver.requests
    assert "1 dead letter" in json.dumps(json.loads(request.body))
    assert url.partition(host)[2].removeprefix(":443").partition("?")[0] == request.path.partition("?")[0]


@pytest.mark.parametrize("url", [SLACK, TEAMS, "mailtos://me:a-long-password-of-mine@127.0.0.1:9?from=a@b.example"])
def test_no_secret_is_in_a_name_or_an_error(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's errors hold whole URLs."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    destination = Destination(url)
    error = destination.send("title", "body", 30)

    assert error
    for secret in ("TIiajkdnlazkcOXrIdevi7a", "aSignatureThatIsLong_123456789", "a-long-password-of-mine"):
        assert secret not in f"{destination.name} {error}"


def test_a_refusal_says_what_came_back(receiver: Receiver) -> None:
    receiver.answer = HttpAnswer(401, b'{"error": "secret details"}')
    error = send(receiver.url)
    assert "401" in error
    assert "secret details" not in error


def test_a_redirect_is_followed_with_the_message_or_not_at_all(receiver: Receiver) -> None:
    """As a GET without it, somebody answers 200 and nobody has read it."""
    receiver.answer = HttpAnswer(302, headers=(("Location", "/elsewhere"),))

    assert "302" in send(receiver.url)
    assert 1 == len(receiver.requests)


def test_a_receiver_that_drips_its_answer_holds_up_nobody(receiver: Receiver) -> None:
    receiver.answer = HttpAnswer(200, b"." * 1000, drip_s=1)
    destination = Destination(receiver.url)
    assert "no answer within 0.2 s" == destination.send("t", "b", 0.2)
    assert "the message before is still under way" == destination.send("t", "b", 0.2)
    assert 1 == len(receiver.requests)


@pytest.mark.parametrize("url", ["slack://bad", "nonsense", "foo://x", "json://"])
def test_what_is_no_url_of_a_service_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(UnusableUrl) as refusal:
        Destination(url)
    assert url not in str(refusal.value)


@pytest.mark.parametrize(("url", "remedy"), [("https://hook.acme.io/a", "jsons://"), ("http://hook:8080/a", "json://")])
def test_a_webhook_of_your_own_is_told_how_it_is_written(url: str, remedy: str) -> None:
    """The address as a browser shows it is what one writes first."""
    with pytest.raises(UnusableUrl, match=f"written {remedy}$"):
        Destination(url)


def test_the_command_says_of_each_url_whether_it_works(tmp_path: Path) -> None:
    """Exit code 1 where one does not, 3 where there is none."""
    with receivers(2) as (good, bad):
        bad.answer = HttpAnswer(403)
        done = longshore("notify", "test", folder=tmp_path, NOTIFY_URLS=f"{good.url} {bad.url},slack://bad")
    assert 1 == done.returncode
    rows = [line.split("\t") for line in done.stdout.splitlines()[1:]]
    assert [f"json://127.0.0.1:{good.port}", "ok"] == rows[0][1:]
    assert "403" in rows[1][2]
    assert rows[2][2].startswith("not usable")
    assert "a-token-nobody-may-see" not in done.stdout + done.stderr
    assert ["Longshore: test"] == [body["title"] for body in good.bodies]

    assert 3 == longshore("notify", "test", folder=tmp_path).returncode
