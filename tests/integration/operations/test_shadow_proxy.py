"""The recording proxy passes everything on as it came, sees into TLS only with a CA, and harms nobody."""

import gzip
import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization

from longshore.operations.shadow.lines import Lines
from tests.support.certificates import Authority
from tests.support.hostile import OK, HostileTarget, Script, answering, closed_port
from tests.support.programs import SETTINGS, Program, eventually, longshore

SECRET = "the-password-of-nobody"
OPENED = ("--ca-cert", "ca.pem", "--ca-key", "ca.key")


class Recorder:
    """A running `longshore shadow record`."""

    def __init__(self, program: Program, out: Path) -> None:
        self.program = program
        self._out = out
        program.says("Recording proxy at")
        address = re.search(r"Recording proxy at (\S+)\.", program.log())
        assert address is not None
        self.proxies = {"http": f"http://{address[1]}", "https": f"http://{address[1]}"}

    def lines(self, count: int) -> list[dict[str, Any]]:
        """What it wrote, as soon as that is so many lines."""
        eventually(lambda: self._out.read_text().count("\n") >= count, self.program.log)
        assert SECRET not in self._out.read_text()
        return [json.loads(text) for text in self._out.read_text().splitlines()]

    def end(self) -> str:
        """Press Ctrl-C; returns all that it said."""
        os.kill(self.program.process.pid, signal.SIGINT)
        assert 0 == self.program.process.wait(60), self.program.log()
        return self.program.log()


@contextmanager
def recorder(folder: Path, *arguments: str, **environ: str) -> Iterator[Recorder]:
    program = Program(
        "shadow", "record", "--listen", "127.0.0.1:0", "--out", "recorded.jsonl", *arguments,
        folder=folder, **(SETTINGS | environ),
    )  # fmt: skip
    try:
        yield Recorder(program, folder / "recorded.jsonl")
    finally:
        program.close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A CA with its key in a file, which signs the target's certificate too."""
    authority = Authority.create(tmp_path / "ca")
    key = authority.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "ca.key").write_bytes(key)
    (tmp_path / "ca.pem").write_bytes(authority.bundle.read_bytes())
    return authority


def test_bodies_of_any_framing_arrive_as_they_were_sent(tmp_path: Path) -> None:
    """With a length, in chunks, compressed, until the connection closes, and without any."""
    packed = gzip.compress(b'{"ok": true}')
    answers = [
        OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed,
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nX-Twice: a\r\nX-Twice: b\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ]
    bodies: list[tuple[int, bytes]] = []
    with recorder(tmp_path) as running:
        for answer in answers:
            with HostileTarget(answering(answer)) as target:
                got = requests.put(
                    target.url("/a%2Fb/hook?x=1&x=2"), data=b'{"a": 1}', headers={"X-Api-Key": SECRET},
                    proxies=running.proxies, timeout=30,
                )  # fmt: skip
                bodies.append((got.status_code, got.content))
                request = target.received[0]
                assert "PUT /a%2Fb/hook?x=1&x=2 HTTP/1.1" == request.line
                assert (b'{"a": 1}', SECRET) == (request.body, request.header("X-Api-Key"))
                assert target.address == request.header("Host")
        lines = running.lines(len(answers))

    assert [(200, b"ok"), (200, b"abc"), (201, b'{"ok": true}'), (200, b"x"), (204, b"")] == bodies
    responses = [Lines([SETTINGS["PORT_CLIENT_SECRET"]], "shadow").open(line["answer"]) for line in lines]
    assert ["ok", "abc", '{"ok": true}', "x", ""] == [each.text for each in responses if each]


@pytest.mark.parametrize(
    ("script", "failure"),
    [(None, "no connection"), (lambda talk: talk.receive(), "no answer"), (answering(b"no HTTP\r\n\r\n"), "no answer")],
    ids=["refused", "closed", "garbage"],
)
def test_without_an_answer_the_client_gets_none_either(script: Script | None, failure: str, tmp_path: Path) -> None:
    """The proxy never speaks for a target: the original must see what it would see without it."""
    with recorder(tmp_path) as running, HostileTarget(script or answering(OK)) as target:
        url = target.url() if script else f"http://127.0.0.1:{closed_port()}/"
        with pytest.raises(requests.ConnectionError):
            requests.post(url, data=b"{}", proxies=running.proxies, timeout=30)
        line = running.lines(1)[0]
        summary = running.end()

    assert {"failure": failure} == line["answer"]
    assert f"1 {failure}" in summary


def test_a_large_answer_is_passed_on_whole(tmp_path: Path) -> None:
    """What is recorded of it is bounded by RESPONSE_MAX_BYTES."""
    body = b"x" * 20_000_000
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with recorder(tmp_path, RESPONSE_MAX_BYTES="1000") as running, HostileTarget(answering(answer)) as target:
        got = requests.post(target.url(), data=b"{}", proxies=running.proxies, timeout=60).content
        line = running.lines(1)[0]

    response = Lines([SETTINGS["PORT_CLIENT_SECRET"]], "shadow").open(line["answer"])
    assert body == got
    assert response is not None
    assert (1000, True) == (len(response.text), response.truncated)


def test_without_a_ca_tls_passes_through_unseen_and_that_is_said(authority: Authority, tmp_path: Path) -> None:
    with recorder(tmp_path) as running, HostileTarget(answering(OK), authority.context()) as target:
        url = target.url(host="localhost")
        got = requests.post(url, data=b"{}", proxies=running.proxies, verify=str(authority.bundle), timeout=30)
        summary = running.end()

    assert (200, "ok") == (got.status_code, got.text)
    assert "" == (tmp_path / "recorded.jsonl").read_text()
    assert "passes through unseen" in summary
    assert f"Passed on unseen: 1 connections to localhost:{target.port}" in summary


def test_with_a_ca_of_the_users_choice_tls_is_opened_and_closed_again(authority: Authority, tmp_path: Path) -> None:
    """The client trusts that CA; the target's certificate is verified by the proxy."""
    with (
        recorder(tmp_path, *OPENED, SSL_CERT_FILE=str(authority.bundle)) as running,
        HostileTarget(answering(OK), authority.context()) as target,
    ):
        url = target.url("/hook", host="localhost")
        with requests.Session() as session:
            for _ in range(2):
                got = session.post(
                    url, data=b'{"a": 1}', proxies=running.proxies, verify=str(authority.bundle), timeout=30
                )
                assert "ok" == got.text
        lines = running.lines(2)

    assert [b'{"a": 1}'] * 2 == [request.body for request in target.received]
    assert [f"https://localhost:{target.port}"] * 2 == [line["url"].rpartition("/")[0] for line in lines]


def test_a_target_that_is_not_trusted_gets_nothing(authority: Authority, tmp_path: Path) -> None:
    """The proxy takes the place of the agent's own verification."""
    with recorder(tmp_path, *OPENED) as running, HostileTarget(answering(OK), authority.context()) as target:
        with pytest.raises(requests.ConnectionError):
            requests.post(
                target.url(host="localhost"), data=b"{}", proxies=running.proxies, verify=str(authority.bundle),
                timeout=30,
            )  # fmt: skip
        assert {"failure": "no connection"} == running.lines(1)[0]["answer"]

    assert [] == target.received


def test_a_key_of_another_ca_is_refused_at_once(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(Authority.create(tmp_path / "other").bundle.read_bytes())
    done = longshore("shadow", "record", *OPENED, folder=tmp_path, **SETTINGS)

    assert 78 == done.returncode
    assert "--ca-key" in done.stderr


def test_what_is_no_request_to_a_proxy_is_told_so(tmp_path: Path) -> None:
    """Somebody who opens its address in a browser."""
    with recorder(tmp_path) as running:
        got = requests.get(running.proxies["http"], timeout=30)

    assert 400 == got.status_code
    assert "HTTP_PROXY" in got.text
