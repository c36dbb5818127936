"""The worker, Flower's preview and `longshore mapping test` build one and the same request of a message."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from config.roles import Role
from config.settings import Settings, load
from longshore.delivery.request_builder import RequestBuilder
from longshore.invocation.kinds import Kind
from longshore.invocation.mapping import Mapping
from longshore.invocation.stream import Stream
from longshore.ledger.entry import StartedAttempt
from longshore.operations.dry_run import dry_run
from longshore.operations.ledger_access import build_sealer
from longshore.operations.preview import RequestPreviews
from longshore.sandbox.publisher import action_run
from tasks.worker.attempt_request import AddressedRequest, build_requests
from tests.support.encrypted_input import encrypted

SECRET = "client-secret-0123456789-abcdefghijklmnop"
URL = "http://deployer.internal:8080/hooks/port"


@dataclass
class Builders:
    """All three, over one mapping file."""

    settings: Settings
    mapping: Mapping

    def worker(self, text: str, accepted: str) -> dict[str, Any]:
        """What a worker is about to send."""
        sealer = build_sealer(self.settings)
        record = StartedAttempt(
            id="r_1", token=1, format=1, payload=sealer.seal(text.encode()), kind=Kind.ACTION_RUN, run="r_1",
            synchronized=False, target="http://a:80", lane="http://a:80 deploy", number=1, generation=1,
            published_ms=0, accepted_ms=0, first_ms=0, origin="org.runs/0/0", mapping=accepted, unknown_outcome="park",
            max_attempts=8, deaths=0, moves=0, trace=b"",
        )  # fmt: skip
        builder = RequestBuilder(self.mapping, self.settings.secrets, self.settings.secrets_to_mask)
        (addressed,) = build_requests([record], sealer, builder)
        assert isinstance(addressed, AddressedRequest)
        request = addressed.built.request
        return {"method": request.method, "url": request.url, "headers": request.headers, "body": request.body}

    def preview(self, text: str, accepted: str) -> dict[str, Any]:
        """What Flower shows."""
        with closing(RequestPreviews(self.settings)) as previews:
            shown = previews.preview_message(text, accepted)
        return {name: shown[name] for name in ("method", "url", "headers", "body")}

    def tried(self, text: str) -> dict[str, Any]:
        """What `mapping test` prints, without what is added when it is sent."""
        request = dry_run(text.encode(), Stream.RUNS, self.mapping, self.settings, None).request or {}
        headers = {name: value for name, value in request["headers"].items() if name == "X-Mode"}
        return {"method": request["method"], "url": request["url"], "headers": headers, "body": request["body"]}


@pytest.fixture
def builders(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Builders]:
    """With a mapping of two entries, of which the message selects the second; a parameter adds keys to that."""
    entry = {
        "method": '"PUT"',
        "fieldsToDecryptPaths": ["payload.properties.note"],
        "headers": {"X-Mode": ".payload.properties.mode"},
        "body": {"mode": ".payload.properties.mode", "n": 1},
        **getattr(request, "param", {}),
    }
    file = tmp_path / "mapping.json"
    file.write_text(json.dumps([{"enabled": False}, entry]))
    environ = {"PORT_ORG_ID": "org", "KAFKA_CONSUMER_GROUP_ID": "org.agent", "REDIS_URL": "redis://127.0.0.1:1"}
    environ |= {"PORT_CLIENT_SECRET": SECRET, "CONTROL_THE_PAYLOAD_CONFIG_PATH": str(file)}
    settings = load(environ, Role.FLOWER)
    with closing(Mapping.load(file, settings.mapping_env())) as mapping:
        yield Builders(settings, mapping)


@pytest.mark.parametrize("accepted", ["", "0123456789abcdef/0", None])
def test_the_same_message_becomes_the_same_request(builders: Builders, accepted: str | None) -> None:
    """Whether it was accepted with this mapping file, with another one, or with none."""
    properties = {"mode": "fast", "note": encrypted("hunter2-hunter2", SECRET)}
    text = json.dumps(action_run("r_1", URL, properties=properties))
    accepted = builders.mapping.reference(1) if accepted is None else accepted
    worker = builders.worker(text, accepted)

    assert {"method": "PUT", "url": URL, "headers": {"X-Mode": "fast"}, "body": '{"mode":"fast","n":1}'} == worker
    assert worker == builders.preview(text, accepted) == builders.tried(text)


@pytest.mark.parametrize(
    ("builders", "body"),
    [
        ({"bodyFormat": "form"}, "mode=fast&n=1"),
        ({"bodyFormat": "text", "body": ".payload.properties.mode"}, "fast"),
        ({"bodyFormat": "xml", "body": '"<mode>" + .payload.properties.mode + "</mode>"'}, "<mode>fast</mode>"),
    ],
    indirect=["builders"],
)
def test_bodies_of_every_format_are_the_same_too(builders: Builders, body: str) -> None:
    """Character by character."""
    text = json.dumps(action_run("r_1", URL, properties={"mode": "fast"}))

    assert body == builders.worker(text, builders.mapping.reference(1))["body"]
    assert body == builders.preview(text, builders.mapping.reference(1))["body"] == builders.tried(text)["body"]
