"""Known secrets driven through everything an agent does, and then looked for in everything it leaves or shows."""

import base64
import html
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
import redis
import requests

from longshore.runtime.embedded_redis import EmbeddedRedis, free_port
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.http_server import HttpAnswer, HttpServer, Request
from longshore.sandbox.publisher import RecordPublisher, action_run, as_text, change_log_event, node_run
from tests.support.encrypted_input import encrypted
from tests.support.flower import Flower
from tests.support.programs import SETTINGS, eventually
from tests.support.relays import ForwardProxy
from tests.support.warm import Warm
from tests.support.whole_agent import start_agent

CLIENT_SECRET = "canary-client-secret-0123456789-abcdefgh"
INPUT = 'canary input "quoted" /with+signs & ümläute'
BEARER = "canary-bearer-4f1d9c77aa"
QUERY = "canary query/token=+&93b1"
OWN_QUERY = "canary-own-query-token-71c2"
VARIABLE = "canary-variable-77aa01b2c3"
FUNCTION_KEY = "canary-function-key-19be"
REDIS_PASSWORD = "canary-redis-pass-word-5e88"
PROXY_PASSWORD = "canary-proxy-pass-word-c03d"
GATE_PASS = "canary-gate-pass-0c5e71"

MAPPING = [
    {
        "fieldsToDecryptPaths": ["payload.properties.password"],
        "headers": {
            "Authorization": f'"Bearer {BEARER}"',
            "X-Copy": ".payload.properties.password | @base64",
            "X-Custom": "env.CUSTOM",
            "x-functions-key": json.dumps(FUNCTION_KEY),
        },
        "query": {"access_token": json.dumps(QUERY), "custom": "env.CUSTOM", "code": json.dumps(FUNCTION_KEY)},
        "report": {
            "summary": '"answer: " + .response.text',
            "link": '"https://ci.example/?p=" + (.body.payload.properties.password | @uri)',
        },
    }
]

TOKEN = {"Cookie": "_xsrf=0123456789abcdef", "X-Xsrftoken": "0123456789abcdef"}
"""That a change at Flower wants where there is no login."""


class Echo:
    """Sends back all that it was sent, with the status that the path names; `lost` is never answered."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def answer(self, request: Request) -> HttpAnswer | None:
        self.requests.append(request)
        name = request.path.partition("?")[0].rpartition("/")[2]
        if name == "lost":
            return None
        body = json.dumps([request.path, request.headers, request.body.decode()])
        if name == "html":
            return HttpAnswer(400, f"<p>{html.escape(request.path)} {html.escape(body)}</p>".encode(), "text/html")
        return HttpAnswer(int(name), body.encode(), headers=(("X-Echo", quote(request.headers["authorization"])),))


@pytest.fixture
def echo() -> Iterator[tuple[Echo, str]]:
    echo, server = Echo(), HttpServer("echo")
    server.start()
    yield echo, f"http://127.0.0.1:{server.listen('127.0.0.1', 0, echo.answer)}"
    server.stop()


def forms(secret: str) -> set[bytes]:
    """The spellings in which a secret may stand somewhere."""
    raw = secret.encode()
    found = {raw, quote(secret, safe="").encode(), quote_plus(secret).encode(), html.escape(secret).encode()}
    found |= {quote(secret).encode(), json.dumps(secret)[1:-1].encode()}
    found |= {json.dumps(secret, ensure_ascii=False)[1:-1].encode(), json.dumps(json.dumps(secret))[3:-3].encode()}
    for shift in range(3):
        # Inside a longer text it may begin at any place of a group of three; the ends depend on the neighbours.
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(b"x" * shift + raw).rstrip(b"=")[4 : -4 or None])
    return found


def leaks(places: dict[str, bytes], secrets: dict[str, str]) -> list[str]:
    """Which secret stands where."""
    spelled = {name: forms(secret) for name, secret in secrets.items()}
    return [
        f"{name} in {place}: {form!r}"
        for place, text in places.items()
        for name, each in spelled.items()
        for form in each
        if form in text
    ]


def test_a_leak_would_be_found() -> None:
    """In each spelling, and in base64 at any place of a longer text."""
    for shift in range(3):
        text = base64.b64encode(b"y" * shift + INPUT.encode() + b"more")
        assert leaks({"somewhere": text}, {"input": INPUT})
    for spelled in (quote(INPUT), json.dumps([INPUT]), html.escape(INPUT), json.dumps(json.dumps({"a": INPUT}))):
        assert leaks({"somewhere": spelled.encode()}, {"input": INPUT})


@pytest.mark.timeout(600)  # a dozen programs, one after the other, on a busy machine
def test_no_secret_is_found_anywhere(
    echo: tuple[Echo, str], kafka: EmbeddedKafka, redis_server: EmbeddedRedis, tmp_path: Path
) -> None:
    """Through success, retries, dead letters, an unknown outcome, node runs, requeues by command and by Flower.

    In Redis's files, logs, pages, exports, texts for Port.
    """
    target, origin = echo
    metrics = free_port()
    with redis.Redis.from_url(redis_server.url) as admin:
        admin.config_set("requirepass", REDIS_PASSWORD)
    redis_url = redis_server.url.replace("://", f"://:{REDIS_PASSWORD}@")
    (tmp_path / "gate").write_text(GATE_PASS)
    gate = {"bearer_file": str(tmp_path / "gate"), "header": "X-Gate"}
    (tmp_path / "targets.json").write_text(json.dumps({"127.0.0.1": {"credentials": gate}}))
    environ = {
        "TARGETS_FILE": str(tmp_path / "targets.json"),
        "PORT_CLIENT_SECRET": CLIENT_SECRET,
        "REDIS_URL": redis_url,
        "WEBHOOK_INVOKER_TIMEOUT": "3",
        "CUSTOM": VARIABLE,
        "LOG_LEVEL": "DEBUG",
        "WORKER_EVENTS": "true",
        "METRICS_PORT": str(metrics),
    }
    runs = {f"r_{name}": name for name in ("200", "400", "503", "html")} | {"wfnr_200": "200", "wfnr_400": "400"}
    with ExitStack() as ends:
        port = ends.enter_context(FakePort())
        proxy = ends.enter_context(ForwardProxy("agent", PROXY_PASSWORD))
        environ["HTTP_PROXY"] = f"http://agent:{PROXY_PASSWORD}@{proxy.address}"
        agent = start_agent(tmp_path / "agent", kafka, port, MAPPING, **environ)
        ends.callback(agent.close)
        at_hand = SETTINGS | environ | {
            "PORT_API_BASE_URL": port.url,
            "USING_LOCAL_PORT_INSTANCE": "true",
            "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": kafka.bootstrap,
            "CONTROL_THE_PAYLOAD_CONFIG_PATH": str(tmp_path / "agent" / "control_the_payload_config.json"),
        }  # fmt: skip
        flower = Flower(tmp_path, **(at_hand | {"METRICS_PORT": "0"}))
        ends.callback(flower.close)
        warm = ends.enter_context(Warm(tmp_path))
        for run_id, name in (runs | {"r_lost": "lost"}).items():
            publish(kafka, run_id, f"{origin}/{name}?api_key={OWN_QUERY}")
        event = change_log_event(f"{origin}/400?api_key={OWN_QUERY}", "checkout")
        RecordPublisher(kafka, "org").change(json.dumps(event | {"payload": {"properties": secret_input()}}).encode())
        eventually(lambda: all(run in port.runs and port.runs[run].ended for run in runs), "an end of all runs")
        again = warm.call("dlq", "requeue", "r_400", "--why", "a test", folder=tmp_path, **at_hand)
        assert 0 == again.returncode, again.stderr
        eventually(lambda: requests_of(target, "r_400") == 2, "the requeued run is sent again")
        sent_again = flower.post("/api/longshore/requeue", json={"ids": ["r_html"], "why": "a test"}, headers=TOKEN)
        assert [{"id": "r_html", "outcome": "requeued_closed"}] == sent_again.json()["results"]
        eventually(lambda: requests_of(target, "r_html") == 2, "the run requeued by Flower is sent again")
        unknown = "/api/longshore/letters?state=unknown"
        eventually(lambda: flower.get(unknown).json()["letters"], "the unknown outcome")
        places = pages(flower, [*runs, "r_lost"])
        places[f"Flower {unknown}"] = flower.get(unknown).content
        places["metrics"] = page(f"http://127.0.0.1:{metrics}/metrics")
        places |= commands(warm, tmp_path, at_hand, "r_400")
        assert 0 == agent.stop()
        tokens = {f"Port token {n}": token for n, token in enumerate(port.tokens)}
        told = [call.body for call in port.calls if call.name != "token"]
        places["texts for Port"] = json.dumps(told, ensure_ascii=False).encode()
    places["log of the agent"] = agent.log().encode()
    places["log of Flower"] = flower.log().encode()
    places |= files_of(redis_server, redis_url)

    sent = [request for request in target.requests if "r_200" in request.body.decode()]
    assert f"Bearer {BEARER}" == sent[0].headers["authorization"]
    assert GATE_PASS == sent[0].headers["x-gate"]
    assert INPUT == json.loads(sent[0].body)["payload"]["properties"]["password"]
    assert tokens
    assert proxy.saw(f"POST {origin}/200")
    assert b"***" in places["texts for Port"]
    assert any(name.endswith(".rdb") for name in places)
    assert any("aof" in name for name in places)
    secrets = {"input": INPUT, "bearer": BEARER, "query": QUERY, "client secret": CLIENT_SECRET} | tokens
    secrets |= {"own query": OWN_QUERY, "Redis password": REDIS_PASSWORD, "proxy password": PROXY_PASSWORD}
    secrets |= {"variable": VARIABLE, "function key": FUNCTION_KEY, "gate pass": GATE_PASS}
    assert [] == leaks(places, secrets)


def requests_of(target: Echo, run_id: str) -> int:
    return sum(json.dumps(run_id).encode() in request.body for request in target.requests)


def secret_input() -> dict[str, str]:
    return {"password": encrypted(INPUT, CLIENT_SECRET)}


def publish(kafka: EmbeddedKafka, run_id: str, url: str) -> None:
    """A run with an encrypted input, and a token in its URL."""
    if run_id.startswith("wfnr"):
        message: dict[str, Any] = node_run(run_id, url)
        message["payload"]["properties"] = secret_input()
    else:
        message = action_run(run_id, url, synchronized=True, properties=secret_input())
    RecordPublisher(kafka, "org").run(as_text(message, CLIENT_SECRET), run_id)


def commands(warm: Warm, folder: Path, environ: dict[str, str], run: str) -> dict[str, bytes]:
    """What the commands for people on call print, errors included."""
    asked = [["dlq", "list", "--json"], ["dlq", "export"], ["show", run], ["show", run, "--json"], ["targets", "list"]]
    asked += [["config", "check"], ["doctor", "--only", "redis", "--only", "port", "--only", "proxies"]]
    found = {}
    for arguments in asked:
        ended = warm.call(*arguments, folder=folder, **environ)
        found[f"longshore {' '.join(arguments)}"] = (ended.stdout + ended.stderr).encode()
    assert b"http_400" in found["longshore dlq export"]
    return found


def pages(flower: Flower, runs: list[str]) -> dict[str, bytes]:
    """Every page and every address of the API."""
    paths = ["/", "/workers", "/tasks", "/broker", "/metrics", "/api/tasks", "/api/workers", "/api/task/types"]
    paths += ["/dead-letters", "/dead-letters?text=canary", "/dead-letters/export", "/targets", "/jobs"]
    api = "/api/longshore"
    paths += [f"{api}/letters", f"{api}/letters/counts", f"{api}/letters/export", f"{api}/targets", f"{api}/jobs"]
    paths += [f"{api}/status"]
    for run in runs:
        paths += [f"/task/{run}", f"/api/task/info/{run}", f"/invocation/{run}", f"{api}/invocations/{run}"]
    found = {path: flower.get(path) for path in paths}
    assert b"r_400" in found[f"{api}/letters"].content
    assert 200 == found["/invocation/r_400"].status_code
    return {f"Flower {path}": answer.content + str(answer.headers).encode() for path, answer in found.items()}


def page(url: str) -> bytes:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(url, timeout=30)
        assert 200 == answer.status_code
        return answer.content


def files_of(server: EmbeddedRedis, url: str) -> dict[str, bytes]:
    """Redis's snapshot and append-only file, uncompressed."""
    with redis.Redis.from_url(url) as client:
        client.config_set("rdbcompression", "no")
        client.save()
    server.stop()
    return {path.name: path.read_bytes() for path in server.data_dir.rglob("*") if path.is_file()}
