"""The mapping is changed while a worker works: what is under way ends by the old one, what comes then by the new."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import redis

from longshore.invocation.mapping import Mapping
from tests.support.hostile import HostileTarget, Talk, answering
from tests.support.one_attempt import AttemptHarness, attempt_harness

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
OLD, NEW = ({"headers": {"X-Mapping": f'"{name}"'}, "report": {"summary": f'"{name}"'}} for name in ("old", "new"))


@contextmanager
def changed(stage: AttemptHarness, *entries: object) -> Iterator[None]:
    """A mapping file of these entries comes into force."""
    with closing(Mapping(json.dumps(entries).encode(), {})) as mapping:
        stage.mappings.current = mapping
        yield


def test_an_attempt_under_way_is_reported_by_the_mapping_that_made_its_request(redis_client: "redis.Redis") -> None:
    """Also where the new file has no such entry. A run that was accepted with the old file goes by the new one."""
    reached, released = threading.Event(), threading.Event()

    def script(talk: Talk) -> None:
        while talk.receive() is not None:
            reached.set()
            assert released.wait(60)
            talk.send(OK)

    with (
        HostileTarget(script) as target,
        attempt_harness(redis_client, entries=[{"enabled": False}, OLD]) as stage,
    ):
        accepted = f"{stage.mapping.digest}/1"
        under_way = stage.accept(target.url(), mapping=accepted)
        (claim,) = stage.receive()
        assert reached.wait(60)
        with changed(stage, NEW):
            released.set()
            claim.wait()
            later, _ = stage.run(target.url(), mapping=accepted)

    assert ["old", "new"] == [request.header("X-Mapping") for request in target.received]
    assert ["old", "new"] == [stage.pending_reports(id)[-1].body["summary"] for id in (under_way, later)]


def test_a_run_for_which_the_new_file_has_no_mapping_is_a_dead_letter(redis_client: "redis.Redis") -> None:
    """It was accepted, so no other agent has it: a person must know."""
    with HostileTarget(answering(OK)) as target, attempt_harness(redis_client, entries=[OLD]) as stage:
        with changed(stage, {"enabled": False}):
            id, _ = stage.run(target.url())
        assert ("dead", "no_mapping") == (stage.record(id, "state"), stage.record(id, "reason"))
        assert not target.received
