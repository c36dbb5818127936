"""What `LONGSHORE_PROFILE=small` means: other defaults, for a whole agent within 256 MB and 200m CPU.

What somebody sets holds all the same. Of the memory, some 170 MB are the three Python programs of `longshore run`, and
25 Redis and the processes that evaluate mappings (6 MB each, two for requests and one for reports); so what is bounded
here is the rest, messages and answers.
"""

from collections.abc import Mapping

DEFAULTS: Mapping[str, str] = {
    "worker_slots": "20",
    "kafka_batch_size": "50",
    "backlog_limit": "10000",
    # Four times what brokers take by default. While a message is looked at, there are several copies of it.
    "message_max_bytes": "4194304",
    "response_max_bytes": "262144",
}
"""Fields of the settings, and their text."""

REDIS_MB = 32
"""`maxmemory` of the embedded Redis."""

KAFKA_OPTIONS: Mapping[str, int] = {"queued.max.messages.kbytes": 2048, "fetch.max.bytes": 2_097_152}
"""What librdkafka may fetch ahead; a single larger message still comes."""

ENVIRONMENT: Mapping[str, str] = {"MALLOC_ARENA_MAX": "2"}
"""For the children of `longshore run`: otherwise glibc keeps memory of its own for each thread."""


def with_defaults(texts: Mapping[str, str]) -> dict[str, str]:
    """The settings as texts by field name, and below them the defaults above where the profile is `small`."""
    return {**DEFAULTS, **texts} if texts.get("longshore_profile") == "small" else dict(texts)
