"""Ingest, and what stands on it, as the settings describe it."""

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from config.host_table_files import follow_limits
from config.mapping_file import MappingFile, PerMapping, load_mapping
from config.settings import Settings
from config.tracing import tracer
from ingest.backpressure import Backpressure
from ingest.batch_preparer import BatchPreparer
from ingest.current_preparer import CurrentPreparer, MappedPreparer
from ingest.entry_builder import EntryBuilder
from ingest.ingest_health import IngestHealth
from ingest.source import Source
from ingest.target_limits import TargetLimits
from longshore.delivery.host_limits import HostLimits
from longshore.errors import ConfigError, StoreUnavailable
from longshore.invocation.kinds import Kind
from longshore.invocation.mapping import Mapping
from longshore.invocation.polling_message import SHAPES
from longshore.invocation.stream import Stream
from longshore.ledger.entry import Claim
from longshore.operations.ledger_access import LedgerAccess, open_ledger
from longshore.port import PortClient
from longshore.runtime.settings_file_status import SettingsFileStatus
from longshore.telemetry.tracing import Traces

if TYPE_CHECKING:
    from ingest.kafka.credentials import KafkaAccess
    from ingest.kafka.group_offsets import GroupOffsets
    from ingest.kafka.rebuild import Rebuild
    from ingest.kafka.shadow_reader import ShadowReader


def source_name(settings: Settings) -> str:
    """What `make_source` makes, for people."""
    return "runs from Port" if settings.is_polling else "Kafka"


def make_source(
    settings: Settings,
    access: LedgerAccess,
    port: PortClient,
    health: IngestHealth,
    publish: Callable[[Sequence[Claim], int], None],
    stop: threading.Event,
) -> Source[Any]:
    """Where invocations are taken from. Raises `ConfigError` for what the source's client refuses.

    Only that source is loaded: an agent that polls does without Kafka's client.
    """
    if settings.is_polling:
        from ingest.polling.source import PollingSource

        return PollingSource(settings, access, port, health, publish, stop)
    from ingest.kafka.source import KafkaSource

    return KafkaSource(settings, access.ledger, port, health, stop)


def make_preparer(
    settings: Settings, mapping: Mapping, access: LedgerAccess, limits: TargetLimits | None = None
) -> BatchPreparer:
    """What makes entries of messages for the ledger, with `mapping`; `limits` notes which targets they go to."""
    builder = EntryBuilder(
        mapping,
        access.sealer,
        {kind: settings.retry_policy(kind) for kind in Kind},
        record_format=lambda: access.ledger.format,
        ack_after_s=settings.commit_delay_s,
        fail_unmatched_nodes=settings.unmatched_node_runs == "fail",
        note_target=limits.note if limits else None,
        traces=Traces(access.sealer, tracer()),
    )
    sync_limits = limits.sync if limits else None
    return BatchPreparer(streams(settings), settings.secrets, mapping, builder, settings.message_max_bytes, sync_limits)


def make_current_preparer(settings: Settings, mappings: MappingFile, access: LedgerAccess) -> CurrentPreparer:
    """What makes entries of messages with the mapping that is in force."""
    limits_file = follow_limits_file(settings)

    def make(mapping: Mapping) -> MappedPreparer:
        limits = make_limits(mapping, limits_file, access)
        return MappedPreparer(make_preparer(settings, mapping, access, limits), limits)

    return CurrentPreparer(PerMapping(mappings, make))


def streams(settings: Settings) -> dict[str, Stream]:
    """How the messages of each of the source's streams are read."""
    if settings.is_polling:
        return {stream.value: stream for stream in SHAPES}
    # Where both have one name, the runs win: an unsigned event must not pass for a run.
    return {settings.change_log_topic: Stream.CHANGE_LOG, settings.runs_topic: Stream.RUNS}


def make_limits(mapping: Mapping, limits_file: Callable[[], HostLimits], access: LedgerAccess) -> TargetLimits:
    """What keeps the limits of targets in the ledger."""
    return TargetLimits(mapping.deliveries, limits_file, access.targets)


def follow_limits_file(settings: Settings) -> Callable[[], HostLimits]:
    """What gives the limits file as it is now. Raises ConfigError."""
    return follow_limits(settings.limits_file, SettingsFileStatus("LIMITS_FILE").note)


def make_group_offsets(settings: Settings) -> "GroupOffsets":
    """The commits of the agent's group. Asks Port once for the access to Kafka; raises `LongshoreError`."""
    from ingest.kafka.consumer_options import consumer_options
    from ingest.kafka.credentials import KafkaAccess, from_settings
    from ingest.kafka.group_offsets import GroupOffsets

    access = from_settings(settings)
    if access is None:
        port = _make_port(settings)
        answer = port.kafka_credentials()
        access = KafkaAccess(",".join(answer.brokers), answer.username, answer.password)
    return GroupOffsets(
        consumer_options(settings, access, lambda _: None, lambda *_: None),
        _topics(settings),
    )


def _topics(settings: Settings) -> list[str]:
    """Where runs and change log events are published; both may be one topic."""
    return [*dict.fromkeys((settings.runs_topic, settings.change_log_topic))]


def _make_port(settings: Settings) -> PortClient:
    return PortClient(
        settings.port_api_base_url, settings.port_client_id, settings.port_client_secret, tls=settings.port_tls
    )


def _find_kafka(settings: Settings) -> "KafkaAccess":
    """The access to Kafka, for commands. Asks Port for it, until it answers."""
    from ingest.kafka.credentials import from_port, from_settings

    kafka_access = from_settings(settings)
    if kafka_access is None:
        port = _make_port(settings)
        kafka_access = from_port(port, threading.Event())
    if kafka_access is None:
        raise ConfigError("PORT_API_BASE_URL", "Port gave no access to Kafka", "Try again")
    return kafka_access


def make_shadow_reader(settings: Settings, group: str, since_ms: int | None) -> "ShadowReader":
    """What reads the topics beside an agent, as a member of `group`. Asks Port for the access, until it answers."""
    from ingest.kafka.consumer_options import consumer_options
    from ingest.kafka.shadow_reader import ShadowReader

    options = consumer_options(settings, _find_kafka(settings), lambda _: None, lambda *_: None)
    return ShadowReader(options, _topics(settings), group, since_ms)


def make_rebuild(settings: Settings, *, dry: bool) -> "Rebuild":
    """What reads Kafka again. Asks Port for the access to it, until it answers. `dry`: nothing will be stored."""
    from ingest.kafka.consumer_options import consumer_options
    from ingest.kafka.rebuild import Rebuild

    kafka_access = _find_kafka(settings)
    access = open_ledger(settings)
    ledger = access.ledger
    mapping = load_mapping(settings)
    limits = None if dry else make_limits(mapping, follow_limits_file(settings), access)
    backpressure = Backpressure(settings.backlog_limit, settings.redis_memory_limit_ratio)

    def has_room() -> bool:
        try:
            backpressure.note_backlog(ledger.backlog())
            backpressure.note_memory(ledger.memory_share())
            backpressure.note_stop(ledger.is_intake_stopped())
        except StoreUnavailable:
            return False
        return not backpressure.is_closed

    return Rebuild(
        consumer_options(settings, kafka_access, lambda _: None, lambda *_: None),
        _topics(settings),
        make_preparer(settings, mapping, access, limits),
        ledger,
        has_room,
        settings.kafka_batch_size,
    )
