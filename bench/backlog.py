"""Fills a ledger for a drain: events wait for targets that are paused, as they come from Kafka through ingest.

Start the worker first: without any, ingest writes the oldest format, which is not what is to be measured.
"""

from collections.abc import Sequence

from bench.agent import PATIENCE_S, Agent
from longshore.delivery.target import lane_of, target_of
from tests.support.programs import eventually

LANE = "change_log"
"""What stands for the action in the lane of a change log event."""
FIRST = 200
"""Ingest learns with a batch in which format it writes the next one."""


def waiting(agent: Agent, urls: Sequence[str]) -> int:
    """How many events wait for the targets of `urls`."""
    ledger = agent.access.ledger
    targets = {target_of(url) for url in urls}
    agent.own_trips += len(targets)
    return sum(int(ledger.redis.zcard(ledger.keys.waiting(lane_of(target, LANE)))) for target in targets)


def fill(agent: Agent, urls: Sequence[str], count: int) -> None:
    """Until `count` wait for the targets of `urls`, which are paused; the same number for each."""
    missing = count - waiting(agent, urls)
    for wanted in (min(FIRST, missing), missing - FIRST):
        if wanted > 0:
            reached = waiting(agent, urls) + wanted
            agent.publish("event", [urls[number % len(urls)] for number in range(wanted)])
            eventually(lambda: waiting(agent, urls) >= reached, f"{reached} wait", PATIENCE_S, every_s=0.1)  # noqa: B023
