"""Targets are given access tokens, keys and passwords; what cannot be had puts off, and nothing of it is ever shown."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from longshore.ledger.entry import StartedAttempt
from tasks.worker.attempt_exchange import execute
from tests.support.certificates import Authority
from tests.support.hostile import OK, HostileTarget, Script, Talk, answering
from tests.support.one_attempt import AttemptHarness, attempt_harness
from tests.support.programs import eventually
from tests.support.token_server import CLIENT_SECRET, TokenServer


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The CA of the token server, which only TARGETS_FILE knows."""
    return Authority.create(tmp_path_factory.mktemp("ca"))


@dataclass
class Scene:
    """A worker's pipeline, a token server and a target."""

    harness: AttemptHarness
    tokens: TokenServer
    target: HostileTarget
    folder: Path

    def run(self) -> tuple[str, str]:
        """One attempt of a new run: its id, and the state after it."""
        id, result = self.harness.run(self.target.url())
        assert result is not None
        return id, result.state

    @property
    def sent(self) -> list[str | None]:
        """The header of each request that the target got."""
        return [request.header("Authorization") for request in self.target.received]


Open = Callable[..., Scene]


@pytest.fixture
def scene(redis_client: "redis.Redis", authority: Authority, tmp_path: Path) -> Iterator[Open]:
    """Opens a scene whose mapping has `credentials`, or else whose targets file has OAuth2 for the target."""
    (tmp_path / "client").write_text(CLIENT_SECRET + "\n")

    with ExitStack() as stack:

        def open_scene(
            credentials: dict[str, Any] | None = None, target: Script | None = None, entry: dict[str, Any] | None = None
        ) -> Scene:
            tokens = stack.enter_context(TokenServer(authority.context()))
            place = stack.enter_context(HostileTarget(target or tokens.target))
            oauth2 = {**tokens.options, "client_secret_file": str(tmp_path / "client")}
            targets = {
                "localhost": {"tls": {"ca": str(authority.bundle)}},
                "127.0.0.1": {} if credentials else {"credentials": {"oauth2": oauth2}},
            }
            (tmp_path / "targets.json").write_text(json.dumps(targets))
            entries = [{**(entry or {}), **({"delivery": {"credentials": credentials}} if credentials else {})}]
            harness = stack.enter_context(
                attempt_harness(redis_client, entries=entries, TARGETS_FILE=str(tmp_path / "targets.json"))
            )
            return Scene(harness, tokens, place, tmp_path)

        yield open_scene


def test_one_token_serves_all(scene: Open) -> None:
    """It is fetched at the first request over TLS with the CA of the targets file, and kept."""
    stage = scene()

    assert ["done"] * 3 == [stage.run()[1] for _ in range(3)]
    assert ["Bearer canary-token-1"] * 3 == stage.sent
    assert [{"grant_type": "client_credentials"}] == stage.tokens.requests


def test_however_many_wait_one_fetches_and_nothing_has_begun(scene: Open) -> None:
    """A crash meanwhile leaves claims: nothing was sent. Others, to targets without credentials, go on."""
    stage = scene()
    stage.tokens.gate.clear()
    ids = [stage.harness.accept(stage.target.url()) for _ in range(8)]
    claims = stage.harness.receive()
    eventually(lambda: len(stage.tokens.requests) == 1, "a token is asked for")
    with HostileTarget(answering(OK)) as open_target:
        _, other = stage.harness.run(open_target.url(host="localhost"))
    states = {stage.harness.record(id, "state") for id in ids}
    in_flight = len(stage.harness.in_flight)
    stage.tokens.gate.set()

    assert other is not None
    assert "done" == other.state
    assert ({"claimed"}, 0) == (states, in_flight)
    assert {"done"} == {result.state for claim in claims if (result := claim.wait())}
    assert (8, 1) == (len(stage.sent), len(stage.tokens.requests))


def test_what_waits_for_a_token_goes_back_when_the_worker_ends(scene: Open) -> None:
    """At once, for others to take it; the token comes too late for it."""
    stage = scene()
    stage.tokens.gate.clear()
    id = stage.harness.accept(stage.target.url())
    (claim,) = stage.harness.receive()
    eventually(lambda: len(stage.tokens.requests) == 1, "a token is asked for")
    stage.harness.pipeline._authorize.stop()
    stage.tokens.gate.set()

    assert claim.wait() is None
    assert ("waiting", []) == (stage.harness.record(id, "state"), stage.sent)


def test_a_token_that_the_target_does_not_take_is_replaced_once(scene: Open) -> None:
    """Within the attempt: nothing of what was refused has run."""
    stage = scene()
    stage.run()
    stage.tokens.valid.clear()
    id, state = stage.run()

    assert "done" == state
    assert "1" == stage.harness.record(id, "attempts")
    assert ["Bearer canary-token-1", "Bearer canary-token-1", "Bearer canary-token-2"] == stage.sent


def test_a_token_that_cannot_be_replaced_is_why_an_attempt_is_put_off(scene: Open) -> None:
    """Beside the status that the target gave."""
    stage = scene()
    stage.run()
    stage.tokens.valid.clear()
    stage.tokens.failure = (503, "")
    id, state = stage.run()
    told = f"the target answered HTTP 401, and there is no token from {stage.tokens.place}: it answered 503. Next"

    assert ("waiting", "no_token") == (state, stage.harness.record(id, "reason"))
    assert told in stage.harness.log(id)


def test_a_target_that_takes_no_token_gets_no_flood_of_them(scene: Open) -> None:
    """A fresh token that is refused, too, is no fault of the token: the answer counts as it is."""
    stage = scene(target=answering(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"))

    assert ["dead"] * 3 == [stage.run()[1] for _ in range(3)]
    assert 2 == len(stage.tokens.requests)


def test_a_refusal_behind_a_redirect_repeats_nothing(scene: Open) -> None:
    """The request itself was answered, and may have run. Another origin gets no credential."""
    elsewhere = HostileTarget(answering(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"))
    with elsewhere:
        head = f"HTTP/1.1 307 There\r\nLocation: {elsewhere.url()}\r\nContent-Length: 0\r\n\r\n"
        stage = scene(target=answering(head.encode()))
        _, state = stage.run()

    assert "dead" == state
    assert (1, 1) == (len(stage.sent), len(elsewhere.received))
    assert elsewhere.received[0].header("Authorization") is None


def test_without_a_token_an_attempt_is_put_off(scene: Open) -> None:
    """Nothing is sent; the cause names the token server, and quotes nothing that it said."""
    stage = scene()
    stage.tokens.secret = "another"
    id, state = stage.run()

    assert ("waiting", []) == (state, stage.sent)
    assert f"no token from {stage.tokens.place}: it does not know the client or its secret" in stage.harness.log(id)
    assert "is wrong" not in stage.harness.log(id)


def test_a_new_client_secret_is_read_at_the_next_fetch(scene: Open) -> None:
    stage = scene()
    stage.run()
    stage.tokens.valid.clear()
    stage.tokens.secret = "rotated"
    (stage.folder / "client").write_text("rotated")

    assert "done" == stage.run()[1]


def test_credentials_may_come_with_a_changed_file(redis_client: "redis.Redis", tmp_path: Path) -> None:
    """To a worker that had none."""
    (tmp_path / "key").write_text("canary-4711")
    path = tmp_path / "targets.json"
    path.write_text("{}")
    with (
        HostileTarget(answering(OK)) as target,
        attempt_harness(redis_client, TARGETS_FILE=str(path)) as harness,
    ):
        harness.run(target.url())
        path.write_text(json.dumps({"*": {"credentials": {"bearer_file": str(tmp_path / "key")}}}))
        harness.run(target.url())

    assert [None, "Bearer canary-4711"] == [request.header("Authorization") for request in target.received]


@pytest.mark.parametrize(
    ("credentials", "header", "first", "second"),
    [
        ({"bearer_file": "{}"}, "Authorization", "Bearer canary-one", "Bearer canary-two"),
        ({"bearer_file": "{}", "header": "X-Api-Key"}, "X-Api-Key", "canary-one", "canary-two"),
        (
            {"basic": {"username": "ann", "password_file": "{}"}},
            "Authorization",
            "Basic YW5uOmNhbmFyeS1vbmU=",
            "Basic YW5uOmNhbmFyeS10d28=",
        ),
    ],
)
def test_a_secret_of_a_file_follows_the_file(
    scene: Open, tmp_path: Path, credentials: dict[str, Any], header: str, first: str, second: str
) -> None:
    """Replaced as Kubernetes does it; where it is gone, the one from before goes on."""
    path = tmp_path / "secret"
    path.write_text("canary-one\n")
    stage = scene(json.loads(json.dumps(credentials).replace("{}", str(path))), target=answering(OK))
    stage.run()
    (tmp_path / "new").write_text("canary-two\n")
    (tmp_path / "new").replace(path)
    stage.run()
    path.unlink()
    stage.run()

    assert [first, second, second] == [request.header(header) for request in stage.target.received]


def test_a_header_of_the_mapping_wins(scene: Open) -> None:
    """In any case of letters; no token is fetched for it."""
    stage = scene(entry={"headers": {"authorization": '"Bearer mine"'}})
    stage.run()

    assert (["Bearer mine"], []) == (stage.sent, stage.tokens.requests)


def test_what_a_target_repeats_of_a_credential_is_shown_nowhere(
    scene: Open, redis_client: "redis.Redis", capsys: pytest.CaptureFixture[str]
) -> None:
    """Not in the reports, the history, the log; and Redis holds none of it, nor the client's secret."""
    stage = scene(
        entry={"report": {"summary": ".response.text", "link": '"https://x/" + .request.headers.Authorization'}}
    )
    id, _ = stage.run()
    reports = [json.dumps(report.body) for report in stage.harness.pending_reports(id)]
    stored = repr([redis_client.dump(key) for key in redis_client.scan_iter()])

    assert any('{\\"said\\":\\"Bearer ***\\"}' in report or "***" in report for report in reports)
    for text in (*reports, stored, "".join(capsys.readouterr())):
        assert "canary" not in text


def test_an_attempt_in_a_process_of_its_own_has_its_credential_too(scene: Open) -> None:
    """It fetches a token for itself."""
    stage = scene()
    stage.harness.accept(stage.target.url())
    (claim,) = stage.harness.claim()
    (attempt,) = stage.harness.ledger.load([(claim.claim.id, claim.claim.token)])
    stage.harness.ledger.begin([(claim.claim.id, claim.claim.token)])

    assert isinstance(attempt, StartedAttempt)
    assert "HTTP 200" in execute(stage.harness.executor, attempt).summary
    assert ["Bearer canary-token-1"] == stage.sent


def test_a_key_is_masked_under_a_name_that_says_nothing(scene: Open, tmp_path: Path) -> None:
    """By its value: neither name nor scheme announce it as a secret."""

    def echo(talk: Talk) -> None:
        while (request := talk.receive()) is not None:
            said = (request.header("X-Gate") or "").encode()
            talk.send(b"HTTP/1.1 400 No\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said))

    (tmp_path / "gate").write_text("canary-gate-77")
    stage = scene({"bearer_file": str(tmp_path / "gate"), "header": "X-Gate"}, target=echo)
    id, state = stage.run()

    assert ("dead", "canary-gate-77") == (state, stage.target.received[0].header("X-Gate"))
    assert "***" in stage.harness.log(id)
    assert "canary" not in stage.harness.log(id)
