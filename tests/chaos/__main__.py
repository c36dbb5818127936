"""Breaks a fleet under load at random for some minutes, and accounts for every invocation.

    python -m tests.chaos --minutes 30 --seed 7 --rate 10 --polling

Exit code 1 if anything was lost, or a fault could not be brought about as it should.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.chaos.schedule import schedule
from tests.support.faulty_redis import FaultyRedis
from tests.support.kafka_broker import KafkaBroker
from tests.support.load import WELL_BEHAVED
from tests.support.polled_load import POLLED
from tests.support.scene import AWAY, Scene
from tests.support.strikes.catalog import STRIKES
from tests.support.strikes.kills import KILLS
from tests.support.strikes.programs import JQ_MAPPING
from tests.support.strikes.strike import Strike

LOAD = {**WELL_BEHAVED, "flaky": 10, "throttling": 3, "not_found": 5, "gateway": 2}
SETTLE_S = 240.0
BROKEN_OFF = "broken off"
SETTINGS = {
    "LEASE_S": "15",
    "RETRY_MAX_ATTEMPTS": "100",
    "CONTROL_THE_PAYLOAD_CONFIG_PATH": str(JQ_MAPPING),
}


def say(words: str) -> None:
    """One line of progress."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=10, help="invocations per second")
    parser.add_argument(
        "--polling", action="store_true", help="poll runs from Port, instead of reading them from Kafka"
    )
    return parser.parse_args(arguments)


def suitable(polling: bool) -> list[Strike]:
    """What can strike here, and leaves nothing behind that would change what the others do."""
    return [
        strike
        for strike in (*STRIKES, *KILLS)
        if not strike.lasts and not (polling and strike.of_kafka) and not strike.lacks()
    ]


def torment(scene: Scene, strikes: Sequence[Strike], seed: int, minutes: float) -> list[str]:
    """Strike until the time is over. Returns what struck, and when."""
    start, struck = time.monotonic(), list[str]()
    for pause_s, strike in schedule(strikes, seed):
        scene.pass_time(pause_s, LOAD)
        with suppress(*AWAY):
            scene.look()
        now = time.monotonic() - start
        if now >= 60 * minutes:
            break
        struck.append(f"{now:6.1f} s  {strike.name}")
        say(f"{struck[-1]} ({len(scene.load.sent)} published)")
        try:
            strike.run(scene)
        except Exception as error:  # what became of everything says more than where it ended
            struck.append(f"{BROKEN_OFF}: {type(error).__name__}: {error}")
            say(traceback.format_exc())
            break
        scene.recovers(strike.name)
    return struck


def account(scene: Scene, struck: Sequence[str]) -> int:
    """Wait for all to end, and say what became of it; the exit code."""
    say("all quiet: waiting for everything to end")
    try:
        scene.until_settled(SETTLE_S)
    except AssertionError as error:
        say(str(error))
    accounts = scene.accounts.of(scene.load.sent)
    excused = scene.learned_late | scene.at_risk()
    problems = [problem for each in accounts if each.lost or each.sent.id not in excused for problem in each.problems()]
    problems += scene.accounts.imbalances()
    problems += [
        f"{member.name} ended with code {code}"
        for member in scene.fleet.started
        if (code := member.process.poll()) not in (None, 0, -signal.SIGKILL)
    ]
    row = scene.row("chaos")
    slowest = max(scene.recoveries, key=lambda each: each.seconds or 0.0)
    say("\n".join(["what struck:", *struck, "problems:", *(problems[:50] or ["none"])]))
    say(
        f"{row.published} published: {row.delivered} delivered, {row.dead} dead, {row.unknown} unknown, "
        f"{row.lost} lost; {row.repeated} repeated, {row.unsent} began and were never sent; "
        f"seen to be back after {row.recovery_s:.1f} s at most ({slowest.what})"
    )
    return int(row.lost > 0 or any(each.startswith(BROKEN_OFF) for each in struck))


def main() -> int:
    """All of it; the exit code."""
    options = parse()
    settings = SETTINGS | (POLLED if options.polling else {})
    folder = Path(tempfile.mkdtemp(prefix="longshore-chaos-"))
    from_where = "polled" if options.polling else "from Kafka"
    say(f"chaos: {options.minutes:g} minutes, seed {options.seed}, {options.rate:g} a second {from_where}; {folder}")
    with ExitStack() as stack:
        kafka = KafkaBroker(folder / "kafka").start()
        stack.callback(kafka.kill)
        server = FaultyRedis(folder / "redis")
        stack.enter_context(server)
        scene = stack.enter_context(Scene(folder, kafka, server, "chaos", options.seed, True, **settings))
        scene.pace = options.rate
        scene.start_fleet()
        return account(scene, torment(scene, suitable(options.polling), options.seed, options.minutes))


if __name__ == "__main__":
    sys.exit(main())
