"""What a mapping makes of an attempt: how long it may take, and where it goes if its URL is never the same."""

from dataclasses import replace

import redis

from longshore.ledger.entry import StartedAttempt
from longshore.runtime.embedded_redis import EmbeddedRedis
from tests.support.one_attempt import attempt_harness


def test_an_attempt_is_held_as_long_as_its_own_mapping_allows(redis_server: EmbeddedRedis) -> None:
    """Not as long as the slowest of them does, unless the file is another one and nobody knows which it is."""
    entries = [{"enabled": True, "delivery": {"timeout": 5}}, {"delivery": {"timeout": 900}}]
    with redis.Redis.from_url(redis_server.url) as client, attempt_harness(client, entries=entries) as stage:
        id = stage.accept("http://a:80")
        (claim,) = stage.ledger.pump().claims
        (attempt,) = stage.ledger.load([(id, claim.token)])
        assert isinstance(attempt, StartedAttempt)
        digest = stage.mapping.digest
        held_s = [
            stage.deadlines.max_duration_s(replace(attempt, mapping=mapping))
            for mapping in (f"{digest}/0", f"{digest}/1", "another/0")
        ]
    assert [80, 9030, 9030] == held_s


def test_a_run_whose_url_leads_elsewhere_each_time_ends(redis_server: EmbeddedRedis) -> None:
    """It is tried with growing pauses, as ingest and worker may differ for a while; then it says what to do."""
    entries = [{"enabled": True, "url": r'"http://host-\(now).invalid/hook"'}]
    with redis.Redis.from_url(redis_server.url) as client, attempt_harness(client, entries=entries) as stage:
        id, result = stage.run("http://a:80")
        runs = 1
        while result is not None and result.state == "deferred":
            keys, target, lane = stage.ledger.keys, stage.record(id, "target"), stage.record(id, "lane")
            for place, name in ((keys.waiting(lane), id), (keys.lanes(target), lane), (keys.targets, target)):
                client.zadd(place, {name: 1})  # its time comes
            (claim,) = stage.receive()
            result = claim.wait()
            runs += 1
            assert runs < 20
        assert ("dead", "unsteady_url", 11) == (stage.record(id, "state"), stage.record(id, "reason"), runs)
        assert "`delivery.target`" in stage.log(id)
