"""What the limits and shares of targets are worth: fairness beside a hanging target, and how exactly a rate is kept.

    .venv/bin/python bench/held_back.py fairness [--backlog 10000] [--gateway]
    .venv/bin/python bench/held_back.py rate [--rate 10] [--backlog 10000] [--seconds 20] [--workers 1]
    .venv/bin/python bench/held_back.py ledger [--backlog 10000] [--seconds 8]

A real worker and a real Redis (AOF everysec); the ledger is filled directly, as ingest does it. Arrivals are taken at
the target. `ledger` leaves out the worker: its processes pump, and end at once what they are handed, so that rates are
seen which no worker of one machine can send. See handing_out.py.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from handing_out import ledger

from longshore.ledger.states import State
from longshore.ledger.target_control import TargetControl
from longshore.runtime.embedded_redis import EmbeddedRedis
from tests.support.crowd import Crowd, Server

SHARE = 50
"""In flight at once to the hanging route: LANE_CONCURRENCY."""

HEALTHY = 50
"""Healthy targets, or healthy routes of the gateway."""


def percentiles(values: list[float]) -> str:
    """p50, p99 and the longest, in ms."""
    cuts = statistics.quantiles(values, n=100)
    return f"p50 {cuts[49] * 1000:6.1f}  p99 {cuts[98] * 1000:6.1f}  max {max(values) * 1000:6.1f} ms"


def commands(crowd: Crowd) -> int:
    """Redis commands so far, those inside scripts counted."""
    stats: Any = crowd.ledger.redis.info("commandstats")
    return sum(int(of["calls"]) for of in stats.values())


def healthy(backlog: int, gateway: bool, rate: float, count: int) -> str:
    """From the ledger to the target: `count` runs, while `backlog` runs wait for one that hangs.

    What they cost is told beside how long they took: where that is the same and the times are not, it is the machine.
    """
    with tempfile.TemporaryDirectory() as folder, EmbeddedRedis(Path(folder) / "redis") as redis:
        server = Server(1 if gateway else HEALTHY + 1)
        with Crowd(Path(folder), redis) as crowd:
            worker = psutil.Process(crowd.worker().process.pid)
            crowd.put([f"warm_{n}" for n in range(100)], server.url(0, "/warm"), start=True)
            while crowd.count(State.DONE) < 100:
                time.sleep(0.1)
            crowd.put([f"hang_{n}" for n in range(backlog)], server.url(0, "/hang"), "hang")
            # All accepted, and as many as may be are hanging: only then does the time of the others count.
            hanging = [f"hang_{n}" for n in range(backlog)]
            while list(crowd.states(hanging).values()).count(State.BEGUN) < min(backlog, SHARE):
                time.sleep(0.1)
            time.sleep(1)
            before, spent = sum(worker.cpu_times()[:2]), commands(crowd)
            sent, began = {}, time.monotonic()
            for n in range(count):
                time.sleep(max(0.0, began + n / rate - time.monotonic()))
                sent[f"r_{n}"] = time.time()
                which = n % HEALTHY
                url = server.url() if gateway else server.url(1 + which)
                crowd.put([f"r_{n}"], url, f"route-{which}", start=True)
            while crowd.count(State.DONE) < 100 + count:
                time.sleep(0.1)
            cpu_ms = (sum(worker.cpu_times()[:2]) - before) * 1000 / count
            spent = commands(crowd) - spent
        arrivals = server.stop()
    times = percentiles([arrivals[id][0] - at for id, at in sent.items()])
    return f"{times}; worker {cpu_ms:.1f} CPU-ms, Redis {spent / count:.0f} commands a run"


def fairness(options: argparse.Namespace) -> None:
    """The same stream of healthy runs, without and with a hanging backlog before it, in turns."""
    for backlog in (0, options.backlog) * options.pairs:
        found = healthy(backlog, options.gateway, options.rate, options.count)
        print(f"{options.count} runs at {options.rate:g}/s behind {backlog:6} that hang: {found}", flush=True)


def rate(options: argparse.Namespace) -> None:
    """A target with a rate and a backlog: what arrives a second, and what Redis spends on it."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedRedis(Path(folder) / "redis") as redis:
        server = Server(1)
        more = {"TARGET_CONCURRENCY": "400", "LANE_CONCURRENCY": "400"}
        with Crowd(Path(folder), redis, **more) as crowd:
            assert redis.process is not None
            process = psutil.Process(redis.process.pid)
            target = server.url().removesuffix("/hook")
            crowd.targets.set(target, "", TargetControl(paused=True))
            crowd.put([f"r_{n}" for n in range(options.backlog)], server.url())
            for _ in range(options.workers):
                crowd.worker()
            idle = cpu(process, 5)
            crowd.targets.set(target, "", TargetControl(rate=options.rate))
            time.sleep(2)
            began = time.time()
            busy = cpu(process, options.seconds)
            ended = time.time()
        times = sorted(times[0] for times in server.stop().values())
    within = sum(began <= at < ended for at in times)
    reached = within / (ended - began)
    print(f"wanted {options.rate:g}/s: {reached:.2f}/s ({reached / options.rate - 1:+.2%}) over {ended - began:.1f} s")
    print(f"Redis {busy:.1%} of a core, idle {idle:.1%}")


def cpu(process: psutil.Process, seconds: float) -> float:
    """Share of a core that `process` uses in the next `seconds`."""
    before, began = sum(process.cpu_times()[:2]), time.monotonic()
    time.sleep(seconds)
    return (sum(process.cpu_times()[:2]) - before) / (time.monotonic() - began)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    fair = commands.add_parser("fairness")
    fair.set_defaults(run=fairness)
    fair.add_argument("--backlog", type=int, default=10_000)
    fair.add_argument("--count", type=int, default=1000)
    fair.add_argument("--rate", type=float, default=50)
    fair.add_argument("--pairs", type=int, default=1, help="a noisy machine needs several")
    fair.add_argument("--gateway", action="store_true")
    paced = commands.add_parser("rate")
    paced.set_defaults(run=rate)
    paced.add_argument("--rate", type=float, default=10)
    paced.add_argument("--backlog", type=int, default=10_000)
    paced.add_argument("--seconds", type=float, default=20)
    paced.add_argument("--workers", type=int, default=1)
    alone = commands.add_parser("ledger")
    alone.set_defaults(run=ledger)
    alone.add_argument("--backlog", type=int, default=10_000)
    alone.add_argument("--seconds", type=float, default=8)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
