"""How long commands and Flower's pages take with 100,000 dead letters in Redis and 100,000 tasks in Flower.

    .venv/bin/python -m bench.at_size [--letters 100000] [--tasks 100000] [--attempts 3]

The dead letters go through the ledger's own script, each with its sealed message and `--attempts` sealed attempts; the
tasks reach Flower as the events a worker sends. Also measured: the memory of Flower.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from kombu.exceptions import OperationalError

from config.settings import load
from longshore.ledger.seal import Sealer
from longshore.runtime.embedded_redis import EmbeddedRedis
from tasks.celery.app import make_app
from tests.support.crowd import Crowd
from tests.support.flower import Flower
from tests.support.programs import SCRIPT, at_home

TARGETS = 50
BATCH = 500
PAGES = {
    "dead letters": "/dead-letters",
    "dead letters of one reason": "/dead-letters?reason=http_503",
    "dead letters, text search": "/dead-letters?text=r_00077",
    "an invocation": "/invocation/r_000777",
    "an invocation by Celery's id": "/invocation/r_000777~2",
    "an unknown run id": "/invocation/r_none",
    "targets": "/targets",
    "jobs": "/jobs",
    "preview of requeueing all": "/dead-letters/requeue",
    "Flower's tasks": "/tasks",
    "Flower's task": "/task/r_000777",
}


@contextmanager
def timed(what: str, redis: EmbeddedRedis) -> Iterator[None]:
    """Prints the time and the CPU time of the block: of the programs that it ran to their end, and of Redis."""
    start, before, redis_before = time.monotonic(), os.times(), cpu_s(redis)
    yield
    after = os.times()
    ours = after.children_user + after.children_system - before.children_user - before.children_system
    print(
        f"  {time.monotonic() - start:7.2f} s, CPU {ours:6.2f} s, Redis {cpu_s(redis) - redis_before:5.2f} s   {what}",
        flush=True,
    )


def cpu_s(redis: EmbeddedRedis) -> float:
    """Seconds of CPU time that Redis has used."""
    assert redis.process is not None
    return sum(psutil.Process(redis.process.pid).cpu_times()[:2])


def add_dead_letters(crowd: Crowd, count: int, attempts: int) -> None:
    """`count` runs that were accepted and given up, each with a history of `attempts` entries."""
    sealer = Sealer(crowd.environ["PORT_CLIENT_SECRET"])
    keys = crowd.ledger.keys
    ids = [f"r_{number:06}" for number in range(count)]
    for first in range(0, count, BATCH):
        batch, number = ids[first : first + BATCH], first // BATCH
        reason, status = ("http_503", 503) if number % 2 else ("http_404", 404)
        crowd.put(batch, f"http://target-{number % TARGETS}.internal:8080/hook", dead=reason)
        pipe = crowd.ledger.redis.pipeline(transaction=False)
        for id in batch:
            pipe.hset(keys.invocation(id), mapping={"attempts": attempts, "status": status})
            pipe.rpush(keys.attempts(id), *(sealer.seal(history_entry(n)) for n in range(1, attempts + 1)))
        pipe.execute()
    dead: Any = crowd.ledger.redis.zcard(keys.dead)
    assert dead == count, f"{dead} of {count} are dead letters"


def history_entry(number: int) -> bytes:
    """One attempt as a worker records it."""
    return json.dumps(
        {
            "generation": 1, "attempt": number, "at": time.time(), "reason": "http_503", "status": 503, "sent": True,
            "cause": "the target answered 503 Service Unavailable", "duration_ms": 12.5,
            "response": '{"error": "the deployment controller has no leader", "retry": true}',
        }
    ).encode()  # fmt: skip


def send_events(crowd: Crowd, flower: Flower, count: int) -> None:
    """Sends the events of `count` tasks, as a worker with events on does; waits until Flower has them all."""
    app = make_app(load(crowd.environ))
    with (
        app.connection_for_write() as connection,
        app.events.Dispatcher(
            connection, hostname="celery@one", buffer_group={"task"}, buffer_limit=BATCH
        ) as dispatcher,
    ):
        page_ms: list[float] = []
        dispatcher.send("worker-online")
        for number in range(count):
            id = f"r_{number:06}"
            name = f"deliver http://target-{number // BATCH % TARGETS}.internal:8080"
            more = {"root_id": id, "parent_id": None, "retries": 0, "eta": None, "expires": None}
            dispatcher.send("task-received", uuid=id, name=name, args=f"({id!r},)", kwargs="{}", **more)
            dispatcher.send("task-started", uuid=id)
            dispatcher.send("task-succeeded", uuid=id, result="'200 in 12 ms'", runtime=0.0125)
            if number % (2 * BATCH) == 0 or number == count - 1:
                # What comes faster than Flower reads fills Redis's buffer until it hangs up.
                dispatcher.flush()
                await_task(flower, id)
            if number % (10 * BATCH) == 0:
                start = time.monotonic()
                flower.get("/dead-letters")
                page_ms.append(1000 * (time.monotonic() - start))
    print(f"  a page meanwhile: {statistics.median(page_ms):.0f} ms, the slowest {max(page_ms):.0f} ms")
    table = flower.get("/tasks/datatable?draw=1&start=0&length=1&order[0][column]=0&columns[0][data]=name").json()
    print(f"  Flower has {table['recordsTotal']} tasks")


def await_task(flower: Flower, id: str) -> None:
    """Waits until Flower has received the end of task `id`."""
    deadline = time.monotonic() + 120
    while "SUCCESS" not in (response := flower.get(f"/task/{id}")).text or response.status_code != 200:
        if time.monotonic() > deadline:
            raise OperationalError("Flower has missed events")
        time.sleep(0.05)


def memory(flower: Flower) -> str:
    """Resident memory of the process."""
    process = psutil.Process(flower.pid)
    return f"{process.memory_info().rss / 1e6:.0f} MB"


def command(crowd: Crowd, *arguments: str) -> Callable[[], None]:
    """A command as a person starts it, with its output in a file."""

    def run() -> None:
        with (crowd.folder / "output").open("wb") as output:
            subprocess.run(
                [str(SCRIPT), *arguments], cwd=crowd.folder, env=at_home(crowd.folder, crowd.environ), stdout=output,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=True,
            )  # fmt: skip

    return run


def commands(crowd: Crowd) -> None:
    """Times the commands that read the whole ledger."""
    for arguments in (
        ("dlq", "list"),
        ("dlq", "list", "--counts"),
        ("dlq", "list", "--text", "r_000777"),
        ("show", "r_none"),
        ("status",),
        ("dlq", "export"),
        ("dlq", "requeue", "--all", "--why", "measured", "--yes", "--no-wait"),
    ):
        run = command(crowd, *arguments) if arguments[0] != "show" else ignore_exit_code(command(crowd, *arguments))
        with timed(f"longshore {' '.join(arguments)}", crowd.redis):
            run()
    lines = (crowd.folder / "output").read_text()
    print(f"           {lines.strip().splitlines()[-1]}")


def ignore_exit_code(run: Callable[[], None]) -> Callable[[], None]:
    """The same, whatever its exit code."""

    def run_anyway() -> None:
        try:
            run()
        except subprocess.CalledProcessError:
            pass

    return run_anyway


def pages(flower: Flower, redis: EmbeddedRedis) -> None:
    """Times each page seven times: the first, the median of the others, and CPU time of Flower and Redis."""
    process = psutil.Process(flower.pid)
    for name, path in PAGES.items():
        durations_ms, before, redis_before = [], sum(process.cpu_times()[:2]), cpu_s(redis)
        for _ in range(7):
            start = time.monotonic()
            size = len(flower.get(path).content)
            durations_ms.append(1000 * (time.monotonic() - start))
        flower_s, redis_s = (sum(process.cpu_times()[:2]) - before) / 7, (cpu_s(redis) - redis_before) / 7
        print(
            f"  {durations_ms[0]:6.0f} ms, then {statistics.median(durations_ms[1:]):5.0f} ms, "
            f"CPU-ms {flower_s * 1000:4.0f}, Redis {redis_s * 1000:4.0f}   {name} ({size:,} bytes)"
        )
    with timed("export of everything over HTTP", redis):
        flower.get("/dead-letters/export")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--letters", type=int, default=100_000)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--attempts", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, EmbeddedRedis(Path(folder) / "redis") as redis:
        limits = {"TARGET_CONCURRENCY": "1000", "LANE_CONCURRENCY": "1000", "BACKLOG_LIMIT": "1000000",
                  "BREAKER_FAILURES": "1000000", "KEEP_DEAD_COUNT": "1000000"}  # fmt: skip
        with Crowd(Path(folder), redis, **limits) as crowd:
            with timed(f"adding {options.letters} dead letters with {options.attempts} attempts each", redis):
                add_dead_letters(crowd, options.letters, options.attempts)
            flower = Flower(Path(folder), **crowd.environ)
            try:
                print(f"  Flower has {memory(flower)} at first")
                pages(flower, redis)
                print(f"  Flower has {memory(flower)} after that")
                with timed(f"sending the events of {options.tasks} tasks", redis):
                    send_events(crowd, flower, options.tasks)
                print(f"  Flower has {memory(flower)} with {options.tasks} tasks")
                pages(flower, redis)
                print(f"  Flower has {memory(flower)} after that")
            finally:
                flower.close()
            commands(crowd)


if __name__ == "__main__":
    main()
