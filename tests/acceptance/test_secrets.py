"""Secrets through real processes: decrypted for the target alone, masked elsewhere, accepted through a rotation."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from longshore.delivery.signature_headers import build_signature_headers
from longshore.ledger.seal import Sealer
from longshore.log import events
from longshore.operations.ledger_access import open_ledger
from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.http_server import HttpAnswer, HttpServer, Request
from longshore.sandbox.publisher import RecordPublisher, action_run, as_text, node_run
from tests.support.encrypted_input import encrypted
from tests.support.programs import eventually
from tests.support.whole_agent import start_agent

from .conftest import Bench

OLD = "old-client-secret-0123456789-abcdefghijklmnop"
NEW = "new-client-secret-0123456789-abcdefghijklmnop"
PASSWORD = 'hunter2 "quoted" /pässwörd'
OBJECT = '{"user":"dana-the-owner","pin":"0815-4711"}'


class Echo:
    """A target that sends back whatever it was sent, in the ways that real ones do."""

    def __init__(self) -> None:
        self.requests: dict[str, Request] = {}

    def answer(self, request: Request) -> HttpAnswer:
        name = request.path.partition("?")[0].removeprefix("/")
        self.requests[name] = request
        text = json.dumps({"headers": request.headers, "path": request.path, "body": request.body.decode()})
        if name.endswith("text"):
            return HttpAnswer(
                400, f"<b>{request.path} {request.headers} {request.body.decode()}</b>".encode(), "text/html"
            )
        return HttpAnswer(400 if name.endswith("400") else 200, text.encode())


@pytest.fixture
def echo() -> Iterator[tuple[Echo, str]]:
    echo, server = Echo(), HttpServer("echo")
    server.start()
    yield echo, f"http://127.0.0.1:{server.listen('127.0.0.1', 0, echo.answer)}"
    server.stop()


MAPPING = [
    {
        "fieldsToDecryptPaths": [f"payload.properties.{name}" for name in ("password", "account", "broken")],
        "url": ".payload.action.invocationMethod.url",
        "headers": {
            "Authorization": '"Bearer glpat-" + .context.runId',
            "X-Pw": ".payload.properties.password | @base64",
        },
        "query": {"pw": ".payload.properties.password"},
        "report": {
            "link": '"https://ci/?p=" + (.body.payload.properties.password | @uri)',
            "externalRunId": '.request.headers["X-Port-Signature"]',
            "summary": ".body.payload.properties | tojson",
        },
    }
]  # fmt: skip


def test_decrypted_values_reach_the_target_and_nobody_else(
    echo: tuple[Echo, str], kafka: EmbeddedKafka, redis_server: EmbeddedRedis, tmp_path: Path
) -> None:
    """Not Port (response, summary, log, report), not a log line, not Redis; what cannot be decrypted is named."""
    target, origin = echo
    cases = ("r_200", "r_400", "r_text", "wfnr_200")
    with FakePort() as port:
        agent = start_agent(
            tmp_path / "agent", kafka, port, MAPPING,
            PORT_CLIENT_SECRET=NEW, REDIS_URL=redis_server.url, LOG_LEVEL="DEBUG",
        )  # fmt: skip
        try:
            for run_id in cases:
                properties = {
                    "password": encrypted(PASSWORD, NEW),
                    "account": encrypted(OBJECT, NEW),
                    "broken": encrypted("never seen", "another-secret-0123456789-abcdefghijkl"),
                }
                url = f"{origin}/{run_id}"
                if run_id.startswith("wfnr"):
                    message: dict[str, Any] = node_run(run_id, url)
                    message["payload"]["properties"] = properties
                else:
                    message = action_run(run_id, url, synchronized=True, properties=properties)
                RecordPublisher(kafka, "org").run(as_text(message, NEW), run_id)
            for run_id in cases:
                is_over(port, run_id)
        finally:
            agent.stop()
            agent.close()
        told = json.dumps([call.body for call in port.calls if call.name != "token"], ensure_ascii=False)

    sent = json.loads(target.requests["r_200"].body)
    assert PASSWORD == sent["payload"]["properties"]["password"]
    assert OBJECT == sent["payload"]["properties"]["account"]
    signatures = [request.headers["x-port-signature"] for request in target.requests.values()]
    secrets = ["hunter2", "pässwörd", "p\\u00e4ssw", "p%C3%A4ss", "dana-the-owner", "0815-4711", "glpat-", NEW]
    secrets += [base64.b64encode(PASSWORD.encode()).decode().rstrip("="), *(text[3:20] for text in signatures)]
    log = agent.log()
    assert [] == [secret for secret in secrets if secret in told]
    assert [] == [secret for secret in secrets if secret in log]
    assert "***" in told
    assert 4 == log.count(events.INVOCATION_DECRYPTION_FAILED.name)
    assert "path=payload.properties.broken" in log
    redis_server.stop()
    stored = b"".join(path.read_bytes() for path in redis_server.data_dir.rglob("*") if path.is_file())
    assert b"hunter2" not in stored


def test_a_history_and_a_dead_letter_hold_no_decrypted_value(
    bench: Bench, echo: tuple[Echo, str], tmp_path: Path
) -> None:
    """Not even where they are sealed: people open them."""
    _, origin = echo
    bench.environ["PORT_CLIENT_SECRET"] = NEW
    mapping = tmp_path / "mapping.json"
    mapping.write_text(json.dumps(MAPPING))
    bench.worker(CONTROL_THE_PAYLOAD_CONFIG_PATH=str(mapping))
    message = action_run("r_1", f"{origin}/r_400", properties={"password": encrypted(PASSWORD, NEW)})
    bench.accept("r_1", "good", target=origin, lane=f"{origin} deploy", payload=sealed(message, NEW))
    bench.ends("r_1", "dead", "http_400")

    ledger = open_ledger(bench.settings).ledger
    history: Any = ledger.redis.lrange(ledger.keys.attempts("r_1"), 0, -1)
    opened = [Sealer(NEW).open(entry).decode() for entry in history]
    assert 1 == len(opened)
    assert "***" in opened[0]
    assert "hunter2" not in opened[0]
    assert "glpat-" not in opened[0]


def is_over(port: FakePort, run_id: str) -> None:
    eventually(lambda: run_id in port.runs and port.runs[run_id].ended, f"an end of {run_id}")


def arrives(target: Echo, run_id: str) -> None:
    eventually(lambda: run_id in target.requests, f"delivery of {run_id}")


def sealed(message: Any, secret: str) -> bytes:
    return Sealer(secret).seal(json.dumps(message).encode())


def test_through_a_rotation_both_secrets_verify_decrypt_and_unseal(
    echo: tuple[Echo, str], kafka: EmbeddedKafka, bench: Bench, tmp_path: Path
) -> None:
    """What was published, encrypted or stored before the secret was replaced is delivered, signed with the new one."""
    target, origin = echo
    bench.environ |= {"PORT_CLIENT_SECRET": NEW, "PORT_CLIENT_SECRET_PREVIOUS": OLD}
    stored = action_run("r_stored", f"{origin}/r_stored", properties={"password": encrypted("stored-pw", OLD)})
    bench.accept("r_stored", "good", target=origin, lane=f"{origin} deploy", payload=sealed(stored, OLD))
    agent = start_agent(
        tmp_path / "agent", kafka, bench.port, MAPPING, PORT_CLIENT_SECRET=NEW, PORT_CLIENT_SECRET_PREVIOUS=OLD,
        REDIS_URL=bench.redis.url,
    )  # fmt: skip
    bench.programs.append(agent)
    publisher = RecordPublisher(kafka, "org")
    for name, signer, encrypter in (("old", OLD, OLD), ("mixed", OLD, NEW), ("new", NEW, OLD)):
        message = action_run(
            f"r_{name}", f"{origin}/r_{name}", properties={"password": encrypted(f"{name}-pw", encrypter)}
        )
        publisher.run(as_text(message, signer), f"r_{name}")
    publisher.run(as_text(action_run("r_forged", f"{origin}/r_forged"), "neither"), "r_forged")

    for name in ("stored", "old", "mixed", "new"):
        arrives(target, f"r_{name}")
        assert f"{name}-pw" == json.loads(target.requests[f"r_{name}"].body)["payload"]["properties"]["password"]
    request = target.requests["r_old"]
    again = build_signature_headers(NEW, request.body, float(request.headers["x-port-timestamp"]))
    assert again["X-Port-Signature"] == request.headers["x-port-signature"]
    eventually(lambda: "reason=bad_signature" in agent.log(), "the forged one is refused")
    assert "r_forged" not in target.requests


def test_without_the_previous_secret_nothing_of_it_is_accepted(
    echo: tuple[Echo, str], kafka: EmbeddedKafka, bench: Bench, tmp_path: Path
) -> None:
    """The rotation is over once the variable is gone."""
    target, origin = echo
    agent = start_agent(tmp_path / "agent", kafka, bench.port, PORT_CLIENT_SECRET=NEW)
    bench.programs.append(agent)
    RecordPublisher(kafka, "org").run(as_text(action_run("r_old", f"{origin}/r_old"), OLD), "r_old")

    eventually(lambda: "reason=bad_signature" in agent.log(), "it is refused")
    assert not target.requests


def test_what_a_mapping_file_may_have_wrong_is_logged_once_by_each_program(
    kafka: EmbeddedKafka, bench: Bench, tmp_path: Path
) -> None:
    """`.body`, a leading dot, an unknown key: by ingest and by the worker."""
    mapping = [{"body": ".body", "fieldsToDecryptPaths": [".payload.x"], "repot": {}}]
    agent = start_agent(tmp_path / "agent", kafka, bench.port, mapping)
    bench.programs.append(agent)
    eventually(lambda: agent.log().count(events.MAPPING_LINT_WARNED.name) >= 6, "both say it")

    lines = [line for line in agent.log().splitlines() if events.MAPPING_LINT_WARNED.name in line]
    for part in ("there is no .body", "leading dot", "did you mean 'report'"):
        assert ["ingest", "worker"] == sorted(
            "ingest" if "program=ingest" in line else "worker" for line in lines if part in line
        )


def test_an_unset_gitlab_token_fails_the_run_at_once(bench: Bench, tmp_path: Path) -> None:
    """With a summary that names the variable; GitLab is not asked."""
    bench.worker(GITLAB_URL=bench.targets.origin("good"))
    method = {"type": "GITLAB", "agent": True, "groupName": "platform/tools", "projectName": "billing"}
    message = {"context": {"runId": "r_1"}, "payload": {"action": {"invocationMethod": method}, "properties": {}}}
    bench.accept("r_1", "good", mapping=f"{bench.digest}/0", payload=sealed(message, bench.settings.port_client_secret))
    bench.ends("r_1", "dead", "missing_variable")

    eventually(lambda: "r_1" in bench.port.runs and bench.port.runs["r_1"].ended, "FAILURE at Port")
    assert "environment variable platform_tools_billing is not set" in str(bench.port.runs["r_1"].summary)
    assert not bench.targets.received("r_1")
