"""What people on call wait for, with 100,000 dead letters in Redis and 100,000 tasks in Flower.

    PYTHONPATH=. .venv/bin/python bench/at_size.py [--letters 100000] [--tasks 100000]

The letters go through the ledger's own script, each with its sealed message and `--attempts` sealed attempts; the tasks
reach Flower as the events a worker sends. Then it measures what the
commands and pages take, and what memory Flower has.
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
    "dead letters, a text": "/dead-letters?text=r_00077",
    "an invocation": "/invocation/r_000777",
    "an invocation by Celery's id": "/invocation/r_000777~2",
    "a run id that nobody knows": "/invocation/r_none",
    "targets": "/targets",
    "jobs": "/jobs",
    "preview of requeueing all": "/dead-letters/requeue",
    "Flower's tasks": "/tasks",
    "Flower's task": "/task/r_000777",
}


@contextmanager
def timed(what: str, redis: EmbeddedRedis) -> Iterator[None]:
    """Says how long it took, and how much CPU time that was: of programs it ran to their end, and of Redis."""
    began, before, redis_before = time.monotonic(), os.times(), cpu(redis)
    yield
    after = os.times()
    ours = after.children_user + after.children_system - before.children_user - before.children_system
    print(
        f"  {time.monotonic() - began:7.2f} s, CPU {ours:6.2f} s, Redis {cpu(redis) - redis_before:5.2f} s   {what}",
        flush=True,
    )


def cpu(redis: EmbeddedRedis) -> float:
    """Seconds of CPU time that Redis has used."""
    assert redis.process is not None
    return sum(psutil.Process(redis.process.pid).cpu_times()[:2])


def give_up(crowd: Crowd, count: int, attempts: int) -> None:
    """`count` runs that were accepted and given up, with what their attempts would have left."""
    sealer = Sealer(crowd.environ["PORT_CLIENT_SECRET"])
    keys = crowd.ledger.keys
    ids = [f"r_{number:06}" for number in range(count)]
    for start in range(0, count, BATCH):
        batch, number = ids[start : start + BATCH], start // BATCH
        reason, status = ("http_503", 503) if number % 2 else ("http_404", 404)
        crowd.put(batch, f"http://target-{number % TARGETS}.internal:8080/hook", dead=reason)
        pipe = crowd.ledger.redis.pipeline(transaction=False)
        for id in batch:
            pipe.hset(keys.invocation(id), mapping={"attempts": attempts, "status": status})
            pipe.rpush(keys.attempts(id), *(sealer.seal(tried(n)) for n in range(1, attempts + 1)))
        pipe.execute()
    left: Any = crowd.ledger.redis.zcard(keys.dead)
    assert left == count, f"{left} of {count} were given up"


def tried(number: int) -> bytes:
    """One attempt as a worker writes it down."""
    return json.dumps(
        {
            "generation": 1, "attempt": number, "at": time.time(), "reason": "http_503", "status": 503, "sent": True,
            "cause": "the target answered 503 Service Unavailable", "duration_ms": 12.5,
            "response": '{"error": "the deployment controller has no leader", "retry": true}',
        }
    ).encode()  # fmt: skip


def tell(crowd: Crowd, flower: Flower, count: int) -> None:
    """`count` tasks, as a worker with events on tells of them; waits until Flower knows all."""
    app = make_app(load(crowd.environ))
    with (
        app.connection_for_write() as connection,
        app.events.Dispatcher(connection, hostname="celery@one", buffer_group={"task"}, buffer_limit=BATCH) as told,
    ):
        meanwhile: list[float] = []
        told.send("worker-online")
        for number in range(count):
            id = f"r_{number:06}"
            name = f"deliver http://target-{number // BATCH % TARGETS}.internal:8080"
            told.send("task-received", uuid=id, name=name, args=f"({id!r},)", kwargs="{}", root_id=id, parent_id=None,
                      retries=0, eta=None, expires=None)  # fmt: skip
            told.send("task-started", uuid=id)
            told.send("task-succeeded", uuid=id, result="'200 in 12 ms'", runtime=0.0125)
            if number % (2 * BATCH) == 0 or number == count - 1:
                # What comes faster than Flower reads fills Redis's buffer until it hangs up.
                told.flush()
                await_task(flower, id)
            if number % (10 * BATCH) == 0:
                began = time.monotonic()
                flower.get("/dead-letters")
                meanwhile.append(1000 * (time.monotonic() - began))
    print(f"  a page meanwhile: {statistics.median(meanwhile):.0f} ms, the slowest {max(meanwhile):.0f} ms")
    known = flower.get("/tasks/datatable?draw=1&start=0&length=1&order[0][column]=0&columns[0][data]=name").json()
    print(f"  Flower knows {known['recordsTotal']} tasks")


def await_task(flower: Flower, id: str) -> None:
    """Waits until Flower has heard the end of task `id`."""
    deadline = time.monotonic() + 120
    while "SUCCESS" not in (found := flower.get(f"/task/{id}")).text or found.status_code != 200:
        if time.monotonic() > deadline:
            raise OperationalError("Flower has missed events")
        time.sleep(0.05)


def memory(flower: Flower) -> str:
    """What the process and its children have."""
    process = psutil.Process(flower.pid)
    return f"{process.memory_info().rss / 1e6:.0f} MB"


def command(crowd: Crowd, *arguments: str) -> Callable[[], None]:
    """A command as a person starts it, its output into a file."""

    def run() -> None:
        with (crowd.folder / "output").open("wb") as output:
            subprocess.run(
                [str(SCRIPT), *arguments], cwd=crowd.folder, env=at_home(crowd.folder, crowd.environ), stdout=output,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=True,
            )  # fmt: skip

    return run


def commands(crowd: Crowd) -> None:
    """How long those take that go through everything."""
    for arguments in (
        ("dlq", "list"),
        ("dlq", "list", "--counts"),
        ("dlq", "list", "--text", "r_000777"),
        ("show", "r_none"),
        ("status",),
        ("dlq", "export"),
        ("dlq", "requeue", "--all", "--why", "measured", "--yes", "--no-wait"),
    ):
        run = command(crowd, *arguments) if arguments[0] != "show" else allowed(command(crowd, *arguments))
        with timed(f"longshore {' '.join(arguments)}", crowd.redis):
            run()
    lines = (crowd.folder / "output").read_text()
    print(f"           {lines.strip().splitlines()[-1]}")


def allowed(run: Callable[[], None]) -> Callable[[], None]:
    """The same, whatever its exit code."""

    def tried() -> None:
        try:
            run()
        except subprocess.CalledProcessError:
            pass

    return tried


def pages(flower: Flower, redis: EmbeddedRedis) -> None:
    """Each page seven times: the first, the middle of the others, and what they cost Flower and Redis."""
    process = psutil.Process(flower.pid)
    for name, path in PAGES.items():
        took, before, redis_before = [], sum(process.cpu_times()[:2]), cpu(redis)
        for _ in range(7):
            began = time.monotonic()
            size = len(flower.get(path).content)
            took.append(1000 * (time.monotonic() - began))
        own, other = (sum(process.cpu_times()[:2]) - before) / 7, (cpu(redis) - redis_before) / 7
        print(
            f"  {took[0]:6.0f} ms, then {statistics.median(took[1:]):5.0f} ms, CPU-ms {own * 1000:4.0f}, "
            f"Redis {other * 1000:4.0f}   {name} ({size:,} bytes)"
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
        limits = {"TARGET_CONCURRENCY": "1000", "LANE_CONCURRENCY": "1000", "MAX_BACKLOG": "1000000",
                  "BREAKER_FAILURES": "1000000", "KEEP_DEAD_COUNT": "1000000"}  # fmt: skip
        with Crowd(Path(folder), redis, **limits) as crowd:
            with timed(f"giving up {options.letters} runs, with {options.attempts} attempts each", redis):
                give_up(crowd, options.letters, options.attempts)
            flower = Flower(Path(folder), **crowd.environ)
            try:
                print(f"  Flower has {memory(flower)} at first")
                pages(flower, redis)
                print(f"  Flower has {memory(flower)} after that")
                with timed(f"telling of {options.tasks} tasks", redis):
                    tell(crowd, flower, options.tasks)
                print(f"  Flower has {memory(flower)} with {options.tasks} tasks")
                pages(flower, redis)
                print(f"  Flower has {memory(flower)} after that")
            finally:
                flower.close()
            commands(crowd)


if __name__ == "__main__":
    main()
