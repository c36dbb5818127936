"""What a worker does about each answer: when it comes again, when it gives up, and what a mapping changes in that."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from longshore.invocation.kinds import Kind
from longshore.log import events
from tests.support.hostile import OK, HostileTarget, answering
from tests.support.programs import Program, eventually

from .conftest import Bench


def answer(status: int, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} Whatever", *headers, "Content-Length: 0", "", ""]).encode()


BUSY = 503
DATE = "Date: Mon, 05 Jan 2026 10:00:00 GMT"

# What the target says, and between which waits the next attempt is then (seconds; the ceiling of the first is 0.05).
WISHES = {
    "seconds": (answer(BUSY, "Retry-After: 5"), 5, 5.1),
    "429": (answer(429, "Retry-After: 7"), 7, 7.1),
    "date": (answer(BUSY, DATE, "Retry-After: Mon, 05 Jan 2026 10:01:00 GMT"), 60, 60.1),
    "past": (answer(BUSY, DATE, "Retry-After: Mon, 05 Jan 2026 09:00:00 GMT"), 0, 0.1),
    "zero": (answer(BUSY, "Retry-After: 0"), 0, 0.1),
    "negative": (answer(BUSY, "Retry-After: -1"), 0, 0.1),
    "float": (answer(BUSY, "Retry-After: 1e9"), 0, 0.1),
    "huge": (answer(BUSY, "Retry-After: 1000000000"), 300, 300),
    "junk": (answer(BUSY, "Retry-After: soon"), 0, 0.1),
    "none": (answer(BUSY), 0, 0.1),
}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def attempts(worker: Program, id: str) -> list[str]:
    """The log lines of the attempts of `id`."""
    return [
        line for line in worker.log().splitlines() if events.DELIVERY_ATTEMPTED.name in line and f"run_id={id} " in line
    ]


def test_the_wait_that_a_target_asks_for_is_kept_and_bounded(bench: Bench, stack: ExitStack) -> None:
    """In seconds or as a date; never longer than RETRY_MAX_S; what makes no sense is as good as nothing."""
    worker = bench.worker(RETRY_MAX_S="300")
    for name, (said, _, _) in WISHES.items():
        bench.accept(f"r_{name}", stack.enter_context(HostileTarget(answering(said))).url())
    for name, (_, least, most) in WISHES.items():
        eventually(lambda name=name: attempts(worker, f"r_{name}"), f"an attempt of {name}")  # type: ignore[misc]
        found = re.search(r"again in ([0-9.]+) s", attempts(worker, f"r_{name}")[0])
        assert found, attempts(worker, f"r_{name}")
        assert (name, True) == (name, least <= float(found[1]) <= most), found[0]


@pytest.mark.parametrize(
    ("answers", "kind", "end", "tries"),
    [
        ((answer(500), answer(500), answer(500), OK), Kind.ACTION_RUN, ("done", "delivered"), "4"),
        ((answer(500),), Kind.ACTION_RUN, ("dead", "http_500"), "4"),
        ((answer(410),), Kind.ACTION_RUN, ("dead", "http_410"), "1"),
        ((answer(204),), Kind.ACTION_RUN, ("done", "delivered"), "1"),
        ((answer(502), OK), Kind.ACTION_RUN, ("unknown", "http_502"), "1"),
        ((answer(504), OK), Kind.ACTION_RUN, ("unknown", "http_504"), "1"),
        ((answer(502), OK), Kind.NODE_RUN, ("unknown", "http_502"), "1"),
        ((answer(502), OK), Kind.CHANGE_LOG, ("done", "delivered"), "2"),
        ((answer(504), OK), Kind.CHANGE_LOG, ("done", "delivered"), "2"),
    ],
)
def test_each_answer_has_its_end(
    served: Bench, stack: ExitStack, answers: tuple[bytes, ...], kind: Kind, end: tuple[str, str], tries: str
) -> None:
    """What surely did not run is repeated, what may have run is repeated for events alone."""
    id = served.new_id()
    served.accept(id, stack.enter_context(HostileTarget(answering(*answers))).url(), kind=kind)
    served.ends(id, *end)
    assert tries == served.record(id)["attempts"]


def mapped(bench: Bench, **delivery: object) -> dict[str, str]:
    """The settings for a mapping file with this delivery section."""
    path = bench.folder / "mapping.json"
    path.write_text(json.dumps([{"delivery": delivery}]))
    return {"CONTROL_THE_PAYLOAD_CONFIG_PATH": str(path)}


def test_a_mapping_says_how_often_and_whether_unknowns_come_again(bench: Bench, stack: ExitStack) -> None:
    """Its word is stronger than the settings."""
    bench.worker(**mapped(bench, retry={"max_attempts": 2}, idempotent=True), UNKNOWN_OUTCOME="park")
    bench.accept("r_1", stack.enter_context(HostileTarget(answering(answer(502), OK))).url())
    bench.accept("r_2", stack.enter_context(HostileTarget(answering(answer(500)))).url())
    bench.ends("r_1", "done", "delivered")
    bench.ends("r_2", "dead", "http_500")
    assert "2" == bench.record("r_2")["attempts"]


def test_a_mapping_says_how_long_to_wait_for_an_answer(bench: Bench) -> None:
    """Shorter or longer than WEBHOOK_INVOKER_TIMEOUT."""
    worker = bench.worker(**mapped(bench, timeout=0.5))
    bench.accept("r_1", "hanging")
    bench.ends("r_1", "unknown", "read_timeout")
    eventually(lambda: "0.5 s" in "".join(attempts(worker, "r_1")), "the log says so")
    assert 0 == worker.stop()
    bench.worker(**mapped(bench, timeout=20), WEBHOOK_INVOKER_TIMEOUT="1")
    bench.accept("r_2", "slow")
    bench.ends("r_2", "done", "delivered")


def test_a_mapping_gives_a_target_its_name(bench: Bench) -> None:
    """What waits under the URL's origin moves over, and uses no attempt by it."""
    bench.worker(**mapped(bench, target="deployer"))
    bench.accept("r_1", "good")
    bench.ends("r_1", "done", "delivered")
    record = bench.record("r_1")
    assert ("deployer", "deployer deploy", "1") == (record["target"], record["lane"], record["attempts"])


def test_a_delivery_section_that_is_wrong_stops_the_worker(bench: Bench) -> None:
    """Exit code 78, entry and key named."""
    worker = Program("worker", folder=bench.folder, **bench.environ, **mapped(bench, retries=3))
    bench.programs.append(worker)
    assert 78 == worker.process.wait(30)
    assert "mapping 0, delivery: unknown key 'retries'; did you mean 'retry'?" in worker.log()


def test_a_limits_file_that_is_wrong_stops_the_worker(bench: Bench) -> None:
    """Exit code 78, pattern and key named."""
    (bench.folder / "limits.json").write_text('{"*.internal": {"reat": 5}}')
    worker = Program("worker", folder=bench.folder, **bench.environ, LIMITS_FILE=str(bench.folder / "limits.json"))
    bench.programs.append(worker)
    assert 78 == worker.process.wait(30)
    assert "LIMITS_FILE: the file is wrong: '*.internal': unknown key 'reat'" in worker.log()
