"""Kafka: whether it can be reached and lets us in, the topics, the group, and how far behind the group is."""

import time
from collections.abc import Iterator
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from ingest.kafka.consumer_errors import AUTH_ERRORS
from ingest.kafka.consumer_options import consumer_options
from ingest.kafka.credentials import KafkaAccess, from_settings
from longshore.cli.doctor.finding import CheckContext, Finding, broken, ok, warning
from longshore.errors import LongshoreError
from longshore.port import PortClient

ASK_S = 8.0
"""Seconds for one question; connecting and logging in are part of the first."""
FAR_BEHIND = 10_000
"""Records a partition may be behind before it is worth a word: the backlog of an agent that keeps up is far below."""
STRATEGIES = frozenset({"range", "roundrobin", ""})
"""What our members offer (see `ingest.kafka.consumer_options`); a group settles on one that all members know."""

_ACCESS = "Check KAFKA_CONSUMER_SECURITY_PROTOCOL and KAFKA_CONSUMER_AUTHENTICATION_MECHANISM"

_TLS = (
    "Mount the CA's certificate below LONGSHORE_CA_DIR; if the brokers want a client certificate, name it with "
    "KAFKA_CONSUMER_SSL_CERTIFICATE_LOCATION"
)

FINAL = AUTH_ERRORS | {KafkaError._RESOLVE, KafkaError._SSL, KafkaError._ALL_BROKERS_DOWN}


def check(context: CheckContext) -> Iterator[Finding]:
    """All about the brokers, topics and group that ingest would use. Joins no group and commits nothing."""
    settings = context.settings
    if settings.streamer_name != "KAFKA":
        yield ok(f"not used with STREAMER_NAME={settings.streamer_name}")
        return
    if not settings.using_local_port_instance and not (settings.port_client_id and settings.port_client_secret):
        yield broken("Port is not asked where it is: its credentials are missing", "Give PORT_CLIENT_ID and its secret")
        return
    try:
        access = from_settings(settings) or _from_port(context)
    except LongshoreError as error:
        yield broken(f"Port does not say where it is: {error}", "See what is said of Port")
        return
    if not access.brokers.strip(","):
        yield broken("there are no brokers to ask", "Set KAFKA_CONSUMER_BOOTSTRAP_SERVERS")
        return
    errors_seen: list[KafkaError] = []
    options = consumer_options(settings, access, errors_seen.append, lambda *_: None)
    try:
        consumer = Consumer(options, logger=None)
    except KafkaException as error:
        yield broken(f"the settings make no client: {error.args[0].str()}", _ACCESS)
        return
    try:
        yield from _check_cluster(context, consumer, options, access, errors_seen)
    finally:
        consumer.close()


def _from_port(context: CheckContext) -> KafkaAccess:
    settings = context.settings
    port = PortClient(
        settings.port_api_base_url,
        settings.port_client_id,
        settings.port_client_secret,
        connect_timeout_s=context.connect_s,
        read_timeout_s=10.0,
        tls=settings.port_tls,
    )
    try:
        credentials = port.kafka_credentials()
    finally:
        port.close()
    return KafkaAccess(",".join(credentials.brokers), credentials.username, credentials.password)


def _check_cluster(
    context: CheckContext,
    consumer: Consumer,
    options: dict[str, Any],
    access: KafkaAccess,
    errors_seen: list[KafkaError],
) -> Iterator[Finding]:
    cluster = _cluster(consumer, errors_seen)
    if isinstance(cluster, KafkaError):
        yield _away(access, cluster, errors_seen)
        return
    user = " as " + access.username if access.username else ""
    yield ok(f"{len(cluster.brokers)} brokers at {access.brokers} answer{user}")
    for topic in (context.settings.runs_topic, context.settings.change_log_topic):
        yield from _topic(context, consumer, cluster, topic)
    yield from _group(context, options)


def _cluster(consumer: Consumer, errors_seen: list[KafkaError]) -> Any:
    """What the brokers say of themselves, or why they say nothing."""
    until = time.monotonic() + ASK_S
    while True:
        try:
            return consumer.list_topics(timeout=1)
        except KafkaException as error:
            consumer.poll(0)  # only here is `errors_seen` filled
            # These do not pass by themselves; a lost connection may.
            if time.monotonic() > until or any(each.code() in FINAL for each in errors_seen):
                return error.args[0]


def _away(access: KafkaAccess, error: KafkaError, errors_seen: list[KafkaError]) -> Finding:
    """What the connections said tells more than the question that had no answer."""
    errors = {each.code(): each for each in [error, *errors_seen]}
    for code in AUTH_ERRORS:
        if code in errors:
            return broken(f"{access.brokers} refuse the login: {errors[code].str()}", _ACCESS)
    if KafkaError._SSL in errors:
        text = errors[KafkaError._SSL].str()
        return broken(f"TLS with {access.brokers} fails: {text}", _TLS)
    if KafkaError._RESOLVE in errors:
        return broken(f"{access.brokers}: the name is not known", "Check the brokers' names and this machine's DNS")
    reason = next((each.str() for each in errors_seen if each.code() == KafkaError._TRANSPORT), error.str())
    return broken(
        f"{access.brokers} cannot be reached: {reason}",
        "Check the brokers, the security protocol, and the firewall: Kafka takes no HTTP proxy",
    )


def _topic(context: CheckContext, consumer: Consumer, cluster: Any, topic: str) -> Iterator[Finding]:
    metadata = cluster.topics.get(topic)
    if metadata is None or metadata.error is not None:
        code = None if metadata is None else metadata.error.code()
        if code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            yield broken(
                f"the topic {topic} may not be read", "Check PORT_ORG_ID: the user belongs to one organization"
            )
        else:
            yield broken(
                f"the topic {topic} does not exist",
                "Check PORT_ORG_ID, or KAFKA_RUNS_TOPIC and KAFKA_CHANGE_LOG_TOPIC if you set them",
            )
        return
    partitions = sorted(metadata.partitions)
    try:
        behind, unread = _lag(consumer, topic, partitions)
    except KafkaException as error:
        yield _no_lag(context, topic, error.args[0])
        return
    facts = {"topic": topic, "lag": {str(number): lag for number, lag in behind.items()}}
    each = " ".join(f"{number}:{'-' if lag is None else lag}" for number, lag in behind.items())
    total = sum(lag or 0 for lag in behind.values())
    text = f"{topic}: {len(partitions)} partitions, {total} records behind ({each})"
    if any((lag or 0) > FAR_BEHIND for lag in behind.values()):
        yield warning(
            text, "See `longshore status`: ingest pauses when the backlog or Redis is full, or add ingest", **facts
        )
    else:
        yield ok(text, **facts)
    if unread and context.settings.kafka_consumer_auto_offset_reset in ("largest", "latest", "end"):
        yield warning(
            f"{topic}: nothing is committed for {len(unread)} partitions, so they begin at their end "
            f"(KAFKA_CONSUMER_AUTO_OFFSET_RESET={context.settings.kafka_consumer_auto_offset_reset})",
            "Set it to earliest to read what was published before the first start",
        )


def _lag(consumer: Consumer, topic: str, partitions: list[int]) -> tuple[dict[int, int | None], list[int]]:
    """How far the group is behind in each partition, None where nothing is committed; and which those are."""
    committed = consumer.committed([TopicPartition(topic, number) for number in partitions], timeout=ASK_S)
    behind: dict[int, int | None] = {}
    for each in committed:
        if each.error is not None:
            raise KafkaException(each.error)
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, each.partition), timeout=ASK_S)
        behind[each.partition] = max(0, high - max(low, each.offset)) if each.offset >= 0 else None
    return behind, [number for number, lag in behind.items() if lag is None]


def _no_lag(context: CheckContext, topic: str, error: KafkaError) -> Finding:
    group = context.settings.kafka_consumer_group_id
    if error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
        remedy = f"Begin KAFKA_CONSUMER_GROUP_ID with {context.settings.port_org_id or 'PORT_ORG_ID'}, as Port wants it"
        return broken(f"the group {group} may not be used", remedy)
    return broken(
        f"{topic}: how far {group} has read cannot be seen: {error.str()}", "Check the brokers, and try again"
    )


def _group(context: CheckContext, options: dict[str, Any]) -> Iterator[Finding]:
    """Its members and their strategy of assignment; brokers that do not tell are left alone."""
    group, org = context.settings.kafka_consumer_group_id, context.settings.port_org_id
    if org and not group.startswith(org):
        yield warning(f"the group {group} does not begin with {org}", "Port's cluster lets in only groups that do")
    admin_options: dict[str, Any] = {
        name: value for name, value in options.items() if name.startswith(("bootstrap", "security", "sasl", "ssl"))
    }
    try:
        admin = AdminClient(admin_options | {"log_level": 2, "error_cb": lambda _: None})
        description = admin.describe_consumer_groups([group], request_timeout=ASK_S)[group].result(ASK_S + 1)
    except (KafkaException, TimeoutError):
        yield ok(f"group {group}; its members cannot be seen")
        return
    members, strategy = len(description.members), description.partition_assignor or ""
    text = f"group {group}: {description.state.name.lower().replace('_', ' ')}, {members} members"
    if strategy not in STRATEGIES:
        yield broken(
            f"{text}, which use the strategy {strategy}: our members cannot join them",
            "Give this agent a group of its own, or stop the others",
        )
    elif not members:
        yield warning(f"{text}: nobody reads the topics now", "Start `longshore run` or `longshore ingest`")
    else:
        yield ok(f"{text}, strategy {strategy or 'unknown'}", members=members, strategy=strategy)
