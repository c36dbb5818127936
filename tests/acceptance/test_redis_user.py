"""The Redis user of least rights that docs/how-to/redis.md shows is enough for a whole agent, and may do no more."""

import re
from pathlib import Path

import pytest
import redis

from config.settings import load
from longshore.dashboard.context import DashboardContext
from longshore.dashboard.overview import read_overview
from longshore.dashboard.target_overview import read_table
from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_targets import FakeTargets
from longshore.sandbox.publisher import RecordPublisher, action_run, as_text
from tests.support.programs import SETTINGS, eventually
from tests.support.warm import longshore
from tests.support.whole_agent import start_agent

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "redis.md"
ORG, GROUP = SETTINGS["PORT_ORG_ID"], SETTINGS["KAFKA_CONSUMER_GROUP_ID"]


def documented_user() -> list[str]:
    """The words of the page's rule, for the agent of these tests."""
    rule = re.search(r"^ACL SETUSER .*$", PAGE.read_text(), re.MULTILINE)
    assert rule
    return rule[0].replace("org_AbC123/org_AbC123.agent", f"{ORG}/{GROUP}").split()


def test_a_user_of_least_rights_is_enough(kafka: EmbeddedKafka, redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    """From Kafka to a target and to Port, a dead letter, and what operators ask; nothing is refused on the way."""
    admin = redis.Redis.from_url(redis_server.url, decode_responses=True)
    admin.execute_command(*documented_user())  # type: ignore[no-untyped-call]
    url = redis_server.url.replace("redis://", "redis://agent:password@")
    ours = (SETTINGS["PORT_CLIENT_ID"], SETTINGS["PORT_CLIENT_SECRET"])
    with FakePort(client_id=ours[0], client_secret=ours[1]) as port, FakeTargets() as targets:
        agent = start_agent(tmp_path / "agent", kafka, port, REDIS_URL=url)
        try:
            publisher = RecordPublisher(kafka, ORG)
            for number, target in enumerate(("good", "dead")):
                message = action_run(f"r_{number}", targets.url(target), synchronized=True)
                publisher.run(as_text(message, SETTINGS["PORT_CLIENT_SECRET"]), f"r_{number}")
            eventually(lambda: port.runs.get("r_0") and port.runs["r_0"].state == "SUCCESS", "SUCCESS at Port")
            eventually(lambda: port.runs.get("r_1") and port.runs["r_1"].state == "FAILURE", "FAILURE at Port")
            for words in (["status"], ["dlq", "list"], ["show", "r_1"], ["targets", "list"], ["audit"]):
                done = longshore(*words, folder=tmp_path, **SETTINGS, REDIS_URL=url)
                assert 0 == done.returncode, done.stderr
            assert 0 == agent.stop()
            assert 2 == show_overview(url)
        finally:
            agent.close()
    refused = {(entry["reason"], entry["object"]) for entry in admin.acl_log()}
    assert set() == refused


def show_overview(url: str) -> int:
    """How many invocations ended in the last day, as Flower shows it; the workers' last heartbeats said so."""
    context = DashboardContext.open(load(SETTINGS | {"REDIS_URL": url}))
    try:
        by_target = read_table(context).rows
        assert 2 == sum(row.day.ended for row in by_target if row.day)
        return read_overview(context).day.ended
    finally:
        context.close()


@pytest.mark.parametrize(
    "command",
    [
        "FLUSHALL",
        "KEYS *",
        "CONFIG GET requirepass",
        "CONFIG GET *",
        "CONFIG SET maxmemory 1",
        "ACL LIST",
        "GET other",
        "SHUTDOWN",
    ],
)
def test_it_may_do_no_more(redis_server: EmbeddedRedis, command: str) -> None:
    """Neither to other keys nor to the server."""
    redis.Redis.from_url(redis_server.url).execute_command(*documented_user())  # type: ignore[no-untyped-call]
    agent = redis.Redis.from_url(redis_server.url.replace("redis://", "redis://agent:password@"))

    with pytest.raises(redis.exceptions.NoPermissionError):
        agent.execute_command(*command.split())  # type: ignore[no-untyped-call]
