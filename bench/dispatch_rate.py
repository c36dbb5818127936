"""How exactly the ledger keeps a target's rate, and what that costs Redis: `python -m bench.target_limits ledger`.

The real scripts on a real Redis (AOF everysec): accept fills it; then one process, or four, each pumps every 0.2 s and
ends every claim at once (load, begin and finish of many, as workers do). A start is when a worker would send: at the
claim's start time, or when the claim arrived if that was later.
"""

import argparse
import bisect
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from longshore.invocation.kinds import Kind
from longshore.ledger.connection import connect
from longshore.ledger.entry import AttemptEnd, Claim, Entry, OffsetRange, StartedAttempt
from longshore.ledger.keys import Keys
from longshore.ledger.ledger import MAX_ENDS, Ledger
from longshore.ledger.limits import Limits
from longshore.ledger.states import State
from longshore.ledger.target_control import TargetControl
from longshore.ledger.targets import TargetControls
from longshore.runtime.embedded_redis import EmbeddedRedis

PUMP_S = 0.2
WARM_S = 1.0
RATES = ((10.0,), (1000.0,), (10.0, 1000.0))
PUMPS = (1, 4)
PAYLOAD = b"x" * 600  # what a sealed action run takes
Starts = dict[str, list[float]]


def open_ledger(url: str) -> Ledger:
    """The ledger at `url`, without limits but the rates."""
    return Ledger(connect(url), Keys.of("bench/bench.agent"), Limits(target=10_000, lane=10_000))


def fill(ledger: Ledger, target: str, count: int) -> None:
    """`count` runs for `target`, in batches as ingest's."""
    for first in range(0, count, 500):
        entries = [
            Entry(
                id=f"{target[-5:]}_{n}",
                kind=Kind.ACTION_RUN,
                run=f"r_{n}",
                target=target,
                lane=f"{target} deploy",
                synchronized=False,
                origin=f"{target[-5:]}/0/{n}",
                published_ms=round(time.time() * 1000),
                mapping="bench/1",
                payload=PAYLOAD,
                unknown_outcome="park",
            )
            for n in range(first, min(count, first + 500))
        ]
        ledger.accept([OffsetRange(target[-5:], 0, first, first + len(entries))], entries, max_claims=0)


def finish_claims(ledger: Ledger, claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
    """Begins and finishes `claims`; returns the claims that come in their place."""
    keys = [(claim.id, claim.token) for claim in claims]
    attempts = [attempt for attempt in ledger.load(keys) if isinstance(attempt, StartedAttempt)]
    ledger.begin([(attempt.id, attempt.token) for attempt in attempts])
    end = AttemptEnd(State.DONE, "delivered", 200, 0, PAYLOAD[:200], (), "well", "well")
    batches = (attempts[n : n + MAX_ENDS] for n in range(0, len(attempts), MAX_ENDS))
    return tuple(claim for batch in batches for claim in ledger.finish([(one, end) for one in batch]).claims)


def pump(url: str, until: float, results: Connection) -> None:
    """One pump and its consumer, until the time `until`; sends when each run of a target started."""
    ledger = open_ledger(url)
    starts: Starts = {}
    while (now := time.time()) < until:
        claims = ledger.pump().claims
        while claims and time.time() < until:
            arrival = time.time()
            for claim in claims:
                starts.setdefault(claim.target, []).append(max(arrival, claim.start_ms / 1000))
            claims = finish_claims(ledger, claims)
        time.sleep(max(0.0, now + PUMP_S - time.time()))
    results.send(starts)


def measure(rates: tuple[float, ...], pumps: int, backlog: int, seconds: float) -> str:
    """The rate that each target reached, with `backlog` or more runs waiting all the time."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedRedis(Path(folder) / "redis") as server:
        ledger = open_ledger(server.url)
        targets = TargetControls(ledger.redis, ledger.keys, ledger.limits)
        names = {f"http://t{number}.example:80": rate for number, rate in enumerate(rates)}
        for name, rate in names.items():
            targets.set(name, "", TargetControl(paused=True))
            fill(ledger, name, backlog + round(rate * (seconds + WARM_S)))
            targets.set(name, "", TargetControl(rate=rate))
        ledger.heartbeat("bench", 100_000)
        assert server.process is not None
        process = psutil.Process(server.process.pid)
        pipes = [multiprocessing.Pipe(duplex=False) for _ in range(pumps)]
        since = time.time() + WARM_S
        workers = [
            multiprocessing.get_context("fork").Process(target=pump, args=(server.url, since + seconds, end))
            for _, end in pipes
        ]
        for worker in workers:
            worker.start()
        for _, end in pipes:
            end.close()  # so that a process that fails is noticed
        time.sleep(max(0.0, since - time.time()))
        cpu_before = sum(process.cpu_times()[:2])
        time.sleep(max(0.0, since + seconds - time.time()))
        busy_s = sum(process.cpu_times()[:2]) - cpu_before
        all_starts: list[Starts] = [receiver.recv() for receiver, _ in pipes]
        for worker in workers:
            worker.join()
    lines, jobs = [], 0
    for name, rate in names.items():
        starts = sorted(at for each in all_starts for at in each.get(name, ()) if since <= at < since + seconds)
        jobs += len(starts)
        reached = len(starts) / seconds
        lines.append(
            f"{rate:g}/s: {reached:.2f}/s ({reached / rate - 1:+.1%}), most in any 1 s {max_per_second(starts)}"
        )
    cost = f"Redis {busy_s / seconds:.1%} of a core, {busy_s / max(jobs, 1) * 1e6:.0f} µs a job"
    return f"{pumps} pump{'s' if pumps > 1 else ''}; {'; '.join(lines)}; {cost}"


def max_per_second(starts: list[float]) -> int:
    """The most of `starts` (seconds, in order) that lie within one second."""
    return max((at - bisect.bisect_left(starts, starts[at] - 1.0) + 1 for at in range(len(starts))), default=0)


def measure_ledger(options: argparse.Namespace) -> None:
    """Every rate, alone and together, with one pump and with four."""
    for rates in RATES:
        for pumps in PUMPS:
            print(measure(rates, pumps, options.backlog, options.seconds), flush=True)
