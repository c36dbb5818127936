"""The receivers of docs/how-to/verify-requests.md, as programs: they take what the agent sends, once, and no more."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import requests

from longshore.delivery.request import Sign, prepare
from longshore.delivery.standard_webhooks import WebhookSigner
from tests.support.go_programs import build_source
from tests.support.posting import SECRET, Post
from tests.support.programs import eventually

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "verify-requests.md"
WEBHOOK_SECRET = "whsec_" + b64encode(b"k" * 32).decode()
SIGNER = WebhookSigner([WEBHOOK_SECRET])
BODY = '{"city":"Z\\u00fcrich","n":1.50}'
LIMIT = 3


def snippet(file: str) -> str:
    (text,) = re.findall(rf'^```\w+ title="{file}"\n(.*?)^```$', PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return str(text)


def in_python(folder: Path, file: str = "receiver.py") -> list[str]:
    (program := folder / file).write_text(snippet(file))
    return [sys.executable, str(program)]


def in_node(folder: Path) -> list[str]:
    if (node := shutil.which("node")) is None:
        pytest.skip("Node is not installed")
    (program := folder / "receiver.js").write_text(snippet(program.name))
    return [node, str(program)]


def in_go(_: Path) -> list[str]:
    return [build_source(snippet("receiver.go"))]


RECEIVERS: dict[str, Callable[[Path], list[str]]] = {
    "python": in_python,
    "node": in_node,
    "go": in_go,
    "standard webhooks": partial(in_python, file="standard_webhooks_receiver.py"),
}


@pytest.fixture(scope="module", params=RECEIVERS)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where one of the receivers listens."""
    command = RECEIVERS[request.param](tmp_path_factory.mktemp("receiver"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    environ = {"PORT": str(address[1]), "LIMIT": str(LIMIT), "PATH": os.environ["PATH"]}
    environ |= {"PORT_CLIENT_SECRET": SECRET, "STANDARD_WEBHOOKS_SECRET": WEBHOOK_SECRET}
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as program:
        try:
            eventually(lambda: _listens(address), "the receiver listens")
            yield f"http://127.0.0.1:{address[1]}/hook"
        finally:
            program.kill()


def _listens(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0


def send(
    url: str, key: str | None, *, body: str | None = BODY, age_s: float = 0, forged: bool = False
) -> tuple[int, str]:
    """What the receiver answers to the request that the agent would send."""
    sign: Sign = partial(SIGNER.build_headers, key or "r_none")
    keys = {} if key is None else {"Idempotency-Key": key}
    signed = prepare(Post(url, body), keys, SECRET, time.time() - age_s, sign)
    sent = (signed.body or b"") + (b" " if forged else b"")
    headers = {**signed.headers, "Content-Length": str(len(sent))}
    answer = requests.post(url, sent, headers=headers, timeout=60)
    return answer.status_code, answer.text.strip()


@pytest.mark.parametrize("body", [BODY, None])
def test_a_request_of_the_agent_is_taken_and_its_repeats_are_not_done_again(url: str, body: str | None) -> None:
    """Each attempt is signed anew; a request without a body has its signature, too."""
    key = f"r_{body is None}"
    assert [(200, "done"), (200, "done before")] == [send(url, key, body=body), send(url, key, body=body, age_s=60)]


def test_what_was_changed_or_is_old_is_refused(url: str) -> None:
    """And not remembered, so that the real one is still taken."""
    refused = [send(url, "r_2", forged=True), send(url, "r_2", body=None, forged=True), send(url, "r_2", age_s=600)]
    assert [(401, "bad signature")] * 3 == refused
    assert 401 == requests.post(url, BODY, headers={"X-Port-Signature": "v1,\xe9"}, timeout=60).status_code
    assert (200, "done") == send(url, "r_2")


def test_requests_without_a_key_are_not_taken_for_repeats_of_each_other(url: str) -> None:
    """A mapping may send none, or another header. `webhook-id` is there in any case."""
    answers = {send(url, None), send(url, None)}
    assert answers in ({(400, "no Idempotency-Key")}, {(200, "done"), (200, "done before")})


def test_a_receiver_remembers_no_more_than_it_has_room_for(url: str) -> None:
    """The oldest key goes first."""
    keys = [f"r_many_{number}" for number in range(LIMIT + 1)]
    assert {"done"} == {send(url, key)[1] for key in keys}

    assert ["done before", "done"] == [send(url, key)[1] for key in (keys[-1], keys[0])]
