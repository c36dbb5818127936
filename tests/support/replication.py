"""Makes one Redis the replica of another, without the five seconds for which a primary waits for more of them."""

import redis

from longshore.runtime.embedded_redis import HOST, EmbeddedRedis
from tests.support.programs import eventually


def replicate(primary: EmbeddedRedis, replica: EmbeddedRedis) -> None:
    """Returns once `replica` is in step with `primary`."""
    with redis.Redis.from_url(primary.url) as client:
        client.config_set("repl-diskless-sync-delay", 0)
    with redis.Redis.from_url(replica.url) as client:
        client.replicaof(HOST, primary.port)
        eventually(lambda: client.info("replication")["master_link_status"] == "up", "the replica is in step")
