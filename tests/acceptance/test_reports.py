"""What Port hears through a real worker while Port or the target make it hard."""

import json
from collections.abc import Iterator

import pytest

from longshore.log import events
from longshore.sandbox.http_server import HttpAnswer, HttpServer
from tests.support.programs import eventually

from .conftest import Bench
from .test_secrets import sealed

KIB = 1024


@pytest.fixture
def huge() -> Iterator[str]:
    """A target whose JSON is larger than Port takes, in characters that grow when they are escaped."""
    body = json.dumps({"text": "ü" * 700 * KIB}, ensure_ascii=False).encode()
    server = HttpServer("huge")
    server.start()
    yield f"http://127.0.0.1:{server.listen('127.0.0.1', 0, lambda _: HttpAnswer(200, body))}"
    server.stop()


def accept(bench: Bench, id: str, url: str) -> None:
    method = {"type": "WEBHOOK", "agent": True, "synchronized": True, "method": "POST", "url": f"{url}/x"}
    message = {"context": {"runId": id}, "payload": {"action": {"invocationMethod": method}}}
    payload = sealed(message, bench.settings.port_client_secret)
    bench.accept(id, "good", synchronized=True, target=url, lane=f"{url} deploy", payload=payload)


def is_over(bench: Bench, id: str) -> None:
    eventually(lambda: id in bench.port.runs and bench.port.runs[id].ended, f"an end of {id} at Port")


def test_a_response_over_1_mib_reaches_port_cut(bench: Bench, huge: str) -> None:
    """413 would cost the run its response, and the truth its end."""
    bench.worker(RESPONSE_MAX_BYTES=str(8 * KIB * KIB))
    accept(bench, "r_1", huge)
    is_over(bench, "r_1")

    assert "SUCCESS" == bench.port.runs["r_1"].state
    assert str(bench.port.runs["r_1"].response).endswith("(cut)")
    assert not bench.port.violations


@pytest.mark.parametrize(
    ("status", "headers"), [(429, ("Retry-After", "1")), (429, ("x-ratelimit-reset", "1")), (503, ())]
)
def test_port_that_cannot_now_hears_it_all_later(served: Bench, status: int, headers: tuple[str, str]) -> None:
    """In order, and the webhook is called once."""
    id = served.new_id()
    served.port.fail_next(2, status, (headers,) if headers else ())
    served.accept(id, "good", synchronized=True)
    is_over(served, id)

    assert ["run_log", "run_response", "run_status"] == [name for name, _ in served.port.runs[id].changes]
    assert 1 == len(served.targets.received(id))


def test_a_token_that_port_forgot_is_renewed_once(served: Bench) -> None:
    """401 in the middle of everything costs one token call."""
    before, after = served.new_id(), served.new_id()
    served.accept(before, "good", synchronized=True)
    is_over(served, before)
    tokens = served.port.counts["token"]
    served.port.revoke_tokens()
    served.accept(after, "good", synchronized=True)
    is_over(served, after)

    assert tokens + 1 == served.port.counts["token"]
    assert "SUCCESS" == served.port.runs[after].state


def test_a_refused_report_is_named_in_the_log_and_the_others_go_on(served: Bench) -> None:
    """413 from something in between: what is lost is the log, not the end."""
    before, refused = served.new_id(), served.new_id()
    served.accept(before, "good", synchronized=True)
    is_over(served, before)  # the token is there: the next call is a log
    served.port.fail_next(1, 413)
    served.accept(refused, "good", synchronized=True)
    is_over(served, refused)

    assert ["run_response", "run_status"] == [name for name, _ in served.port.runs[refused].changes]
    assert events.REPORT_REFUSED.name in served.programs[0].log()


def test_the_fleet_keeps_to_its_budget_of_calls(bench: Bench) -> None:
    """Every run's end is told all the same."""
    bench.worker(PORT_API_RATE="10")
    for number in range(12):
        bench.accept(f"r_{number}", "good", synchronized=True)
    for number in range(12):
        is_over(bench, f"r_{number}")

    times = [call.at for call in bench.port.calls if call.name != "token"]
    assert 36 <= len(times)
    # 10 at once, then 10 a second: 36 calls cannot be made in less than 2.6 s (a little less, as calls are late).
    assert max(times) - min(times) > 2
