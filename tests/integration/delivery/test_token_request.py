"""Tokens are asked for over the ways of deliveries, and what a token server answers is said in plain words."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from config.roles import Role
from config.settings import load
from longshore.cli.doctor.credentials import check
from longshore.cli.doctor.finding import CheckContext, Level
from longshore.delivery import EgressPolicy, HostPatterns
from longshore.delivery.issued_credential import NoToken
from longshore.delivery.token_request import DEFAULT_LIFE_S, MAX_LIFE_S, fetch_token
from longshore.invocation.credentials_section import OAuth2Options
from longshore.log import events
from tests.integration.delivery.test_proxy import tunnel
from tests.support.certificates import Authority
from tests.support.hostile import HostileTarget
from tests.support.posting import make_sender
from tests.support.token_server import CLIENT_ID, CLIENT_SECRET, TokenServer


@pytest.fixture
def server(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenServer]:
    """A token server whose CA is trusted."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
    with TokenServer(authority.context()) as server:
        yield server


def options_of(server: TokenServer, folder: Path, **more: Any) -> OAuth2Options:
    (folder / "client").write_text(CLIENT_SECRET)
    return OAuth2Options(f"https://{server.place}/token", CLIENT_ID, str(folder / "client"), **more)


def problem_of(options: OAuth2Options) -> str:
    sender = make_sender()
    with pytest.raises(NoToken) as error:
        fetch_token(options, sender)
    sender.close()
    assert str(error.value).startswith("no token from localhost:")
    return error.value.problem


@pytest.mark.parametrize("auth", ["basic", "body"])
def test_id_and_secret_are_sent_either_way(server: TokenServer, tmp_path: Path, auth: str) -> None:
    """Encoded as RFC 6749 has it: both hold characters that mean something else."""
    sender = make_sender()
    token = fetch_token(options_of(server, tmp_path, auth=auth, scope="a b", audience="x"), sender)
    sender.close()

    assert ("canary-token-1", 3600) == (token.text, token.life_s)
    (form,) = server.requests
    assert {"grant_type": "client_credentials", "scope": "a b", "audience": "x"}.items() <= form.items()
    assert (auth == "body") == ("client_secret" in form)


def test_a_token_of_which_nothing_else_is_said_lives_for_a_while(server: TokenServer, tmp_path: Path) -> None:
    server.answer = {}
    sender = make_sender()

    assert DEFAULT_LIFE_S == fetch_token(options_of(server, tmp_path), sender).life_s
    sender.close()


@pytest.mark.parametrize(
    ("answer", "life_s"),
    [
        ({"expires_in": "600", "token_type": None}, 600),
        ({"expires_in": 0}, DEFAULT_LIFE_S),
        ({"expires_in": -5}, 1),
        ({"expires_in": 10**400}, MAX_LIFE_S),
    ],
)
def test_a_life_as_servers_write_it_is_taken(
    server: TokenServer, tmp_path: Path, answer: dict[str, Any], life_s: float
) -> None:
    server.answer = answer
    sender = make_sender()

    assert life_s == fetch_token(options_of(server, tmp_path), sender).life_s
    sender.close()


def test_only_a_refusal_is_told_as_one(server: TokenServer, tmp_path: Path) -> None:
    """What is no answer of a token server has no word on the client."""
    options = options_of(server, tmp_path)
    with structlog.testing.capture_logs() as lines:
        for failure in ((503, "<p>busy"), (400, '{"error": "invalid_scope", "error_description": "not b"}')):
            server.failure = failure
            problem_of(options)

    assert [(events.CREDENTIAL_REFUSED.name, "not b")] == [(line["event"], line["detail"]) for line in lines]


@pytest.mark.parametrize(
    ("failure", "problem"),
    [
        ((400, '{"error": "invalid_scope", "error_description": "canary"}'), "does not give the client this scope"),
        ((401, "<p>canary"), "it answered 401: check token_url, client_id"),
        ((503, "busy, canary"), "it answered 503"),
        ((200, "[]"), "holds no access token"),
        ((200, '{"access_token": "a\\nb"}'), "none that a header can hold"),
        ((200, '{"access_token": "canary", "token_type": "mac"}'), "no bearer token"),
        ((200, '{"access_token": 5, "expires_in": "soon"}'), "holds no access token"),
    ],
)
def test_an_answer_without_a_token_is_explained(
    server: TokenServer, tmp_path: Path, failure: tuple[int, str], problem: str
) -> None:
    """And never quoted."""
    server.failure = failure
    text = problem_of(options_of(server, tmp_path))

    assert problem in text
    assert "canary" not in text


def test_the_secret_follows_no_redirect(server: TokenServer, tmp_path: Path) -> None:
    server.failure = (307, "")
    server.headers["Location"] = f"https://{server.place}/elsewhere"

    assert "redirects to another place" in problem_of(options_of(server, tmp_path, auth="body"))
    assert 1 == len(server.requests)


def test_it_goes_through_the_proxy_and_no_further_than_allowed(
    server: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = options_of(server, tmp_path)
    with HostileTarget(tunnel) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        sender, fenced = make_sender(), make_sender(egress_policy=EgressPolicy(deny=HostPatterns.parse("localhost")))
        fetch_token(options, sender)
        with pytest.raises(NoToken, match="WEBHOOK_DENY"):
            fetch_token(options, fenced)
        sender.close()
        fenced.close()

    assert [f"CONNECT {server.place} HTTP/1.1"] == [request.line for request in proxy.received]


@pytest.mark.parametrize("fetches_tokens", [True, False])
def test_doctor_tries_what_is_named(server: TokenServer, tmp_path: Path, fetches_tokens: bool) -> None:
    """Only where it is told to is a token fetched; of one whose secret others could read it warns."""
    (tmp_path / "client").write_text(CLIENT_SECRET)
    oauth2 = {**server.options, "client_secret_file": str(tmp_path / "client")}
    content = {
        "git": {"credentials": {"oauth2": oauth2}},
        "ci": {"credentials": {"bearer_file": "/missing"}},
        "old": {"credentials": {"oauth2": oauth2 | {"token_url": "http://idp.invalid/token"}}},
    }
    (tmp_path / "targets.json").write_text(json.dumps(content))
    environ = {"TARGETS_FILE": str(tmp_path / "targets.json")}
    case = CheckContext(Role.RUN, load(environ, None), environ, "", (), 5, fetches_tokens)
    findings = list(check(case))

    broken = [each.text for each in findings if each.level is Level.BROKEN]
    assert 2 == len(broken)
    assert broken[0].startswith("'ci': /missing: ")
    assert "idp.invalid" in broken[1]
    assert [("'old': token_url is http://, so others can read the client's secret", Level.WARNING)] == [
        (each.text, each.level) for each in findings if "others can read" in each.text
    ]
    assert (1 if fetches_tokens else 0) == len(server.requests)
    assert any("gives tokens, for 3600 s" in each.text for each in findings) == fetches_tokens
    assert not any(CLIENT_SECRET in each.text or "canary" in each.text for each in findings)
