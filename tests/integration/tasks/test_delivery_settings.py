"""What a mapping makes of an attempt: how long it may take, and where it goes if its URL is never the same."""

import json
import ssl
from dataclasses import replace
from pathlib import Path

import redis

from longshore.ledger.entry import StartedAttempt
from longshore.runtime.embedded_redis import EmbeddedRedis
from tests.support.certificates import Authority
from tests.support.hostile import OK, HostileTarget, answering
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
            stage.executor.max_duration_s(replace(attempt, mapping=mapping))
            for mapping in (f"{digest}/0", f"{digest}/1", "another/0")
        ]
    assert [80, 9030, 9030] == held_s


def test_a_certificate_is_shown_as_the_mapping_or_the_targets_file_says(
    redis_server: EmbeddedRedis, tmp_path: Path
) -> None:
    """Without either, the dead letter names the remedy."""
    authority = Authority.create(tmp_path / "ca")
    tls = {"certificate": str(authority.issue("ann")), "ca": str(authority.bundle)}
    targets = tmp_path / "targets.json"
    delivery = {"retry": {"max_attempts": 1}}
    ends = []
    with HostileTarget(answering(OK), authority.demanding_context(ssl.TLSVersion.TLSv1_2)) as target:
        for own, of_file in ((tls, {}), (None, tls), (None, {"ca": tls["ca"]})):
            targets.write_text(json.dumps({"localhost": {"tls": of_file}}))
            entries = [{"enabled": True, "delivery": {**delivery, "tls": own}}]
            with (
                redis.Redis.from_url(redis_server.url) as client,
                attempt_harness(client, entries=entries, TARGETS_FILE=str(targets)) as stage,
            ):
                client.flushdb()
                id, _ = stage.run(target.url(host="localhost"))
                ends.append(stage.record(id, "state"))
                log = stage.log(id)
    assert ["done", "done", "dead"] == ends
    assert "wants a client certificate: name one for host localhost in TARGETS_FILE" in log


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
