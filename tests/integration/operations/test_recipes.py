"""The recipes for products: what a server receives is what the page says, byte by byte; and so is what Port is told."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from config.settings import load
from longshore.cli import mapping as command
from longshore.delivery import Verdict
from longshore.delivery.request_builder import RequestBuilder
from longshore.invocation.mapping import Mapping
from longshore.operations.dry_run import derive_stream, dry_run
from tests.support.hostile import HostileTarget, WireRequest, answering
from tests.support.posting import SECRET, make_sender

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to"
PAGES = [*sorted((HOW_TO / "recipes").glob("*.md")), HOW_TO / "gitlab.md"]


def recipes() -> Iterator[Any]:
    """The named blocks of each section with a request, and those that stand before all sections."""
    for page in PAGES:
        text = page.read_text()
        shared, *sections = text.split("\n## ")
        for section in sections:
            blocks = dict(re.findall(r'```\w+ title="(\w+)(?:\.json)?"\n(.*?)```', shared + "\n" + section, re.DOTALL))
            if "request" in blocks:
                yield pytest.param(blocks, id=f"{page.stem}: {section.splitlines()[0]}")


def test_every_page_has_a_recipe() -> None:
    """GitHub and Jenkins have two."""
    assert len(PAGES) + 2 == len(list(recipes()))


def wire(response: Any) -> bytes:
    """The answer that a page's block describes."""
    headers = "".join(f"{name}: {value}\r\n" for name, value in response.get("headers", {}).items())
    body = json.dumps(response["body"]).encode() if response["body"] != "" else b""
    length = "" if response["statusCode"] == 204 else f"Content-Length: {len(body)}\r\n"
    return f"HTTP/1.1 {response['statusCode']} Said\r\n{headers}{length}\r\n".encode() + body


def check_received(received: WireRequest, page_request: str) -> None:
    """Line, headers and body are those of the page's block."""
    head, _, body = page_request.strip().partition("\n\n")
    line, *headers = head.splitlines()
    assert f"{line} HTTP/1.1" == received.line
    for name, value in (header.split(": ", 1) for header in headers):
        assert value == received.header(name), name
    assert body.encode() == received.body


@pytest.mark.parametrize("blocks", list(recipes()))
def test_a_recipe_sends_what_its_page_says(blocks: dict[str, str]) -> None:
    """Through `mapping test`, where its secrets are masked, and through a sender to a real server."""
    env = dict(line.split("=", 1) for line in blocks["environment"].split())
    url_name = next(name for name in env if name.endswith("_URL"))
    base = re.match(r"https://[^/]+", env[url_name])
    assert base is not None
    secret = next(value for name, value in env.items() if "TOKEN" in name or value.startswith("glptt-"))
    settings = load({"PORT_CLIENT_SECRET": SECRET}, role=None)
    message = blocks["message"].encode()
    with HostileTarget(answering(wire(json.loads(blocks["response"])))) as target:
        local = target.url("")
        env[url_name] = env[url_name].replace(base[0], local)
        answer = command._parse_response(blocks["response"].encode())
        with closing(Mapping(blocks["mapping"].encode(), env)) as mapping:
            tried = dry_run(message, derive_stream(json.loads(message)), mapping, settings, answer)
            builder = RequestBuilder(mapping, [SECRET], [SECRET])
            built = builder.build(builder.decrypt(message.decode(), 0), 0)
            builder.check_variables(built)
            with closing(make_sender()) as sender:
                outcome = builder.judge(built, sender.send(built.request))

            assert () == mapping.warnings
        (received,) = target.received

    check_received(received, blocks["request"])
    assert Verdict.DELIVERED is outcome.verdict
    assert (True, None) == (tried.sent, tried.problem)
    assert secret not in json.dumps([tried.request, tried.calls, tried.report])
    assert (tried.request or {})["url"].removeprefix(local) == received.line.split()[1]
    if "patch" in blocks:
        assert json.loads(blocks["patch"].replace(base[0], local)) == {
            name: value.replace(base[0], local) for name, value in tried.calls[-1]["json"].items()
        }


def test_variables_that_awx_ignored_are_a_failure() -> None:
    """The job runs, without what it was started for; nobody would notice."""
    blocks = next(param.values[0] for param in recipes() if param.id.startswith("awx"))
    ignored = command._parse_response(b'{"statusCode": 201, "body": {"job": 1, "ignored_fields": {"limit": "a"}}}')
    message = blocks["message"].encode()
    with closing(Mapping(blocks["mapping"].encode(), {"AWX_URL": "https://awx.acme.io", "AWX_TOKEN": "x"})) as mapping:
        tried = dry_run(message, derive_stream(json.loads(message)), mapping, load({}, role=None), ignored)

    assert "FAILURE" == tried.calls[-1]["json"]["status"]
    assert "its condition is not true" in tried.calls[-1]["json"]["summary"]
