"""Every metric there is: name, meaning, labels. `docs/reference/metrics.md` is written from this table.

What happens in a process is counted in that process, by the objects below. What is true of the whole fleet is read from
the ledger when a page is asked for (`fleet.py`); those names begin with `longshore_fleet_`, and every page that has
them says the same, so they are compared with `max`, never added up.

No label holds an action, a lane, a run or anything from a payload. Targets are origins; `labels.py` bounds their number
and that of outcomes. Children of counters are looked up once where that is possible: counting then costs below a µs.
"""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics

# Their times of creation would double the page, and Prometheus finds restarts without.
disable_created_metrics()  # type: ignore[no-untyped-call]

PROCESS = CollectorRegistry()
"""Of every program."""
INGEST = CollectorRegistry()
"""Of ingest."""
WORKER = CollectorRegistry()
"""Of workers."""
FAILURES = CollectorRegistry()
"""Of the programs that give up invocations: ingest and workers."""
MAPPING = CollectorRegistry()
"""Of the programs that work by the mapping and the files of targets: ingest and workers."""
PORT = CollectorRegistry()
"""Of the programs that call the Port API: ingest and workers."""
SUPERVISOR = CollectorRegistry()
"""Of `longshore run`."""

_DELIVERY_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400)
_REQUEST_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

ProcessCollector(registry=PROCESS)

INFO = Gauge("longshore_info", "Always 1; says which program this is", ["role", "version"], registry=PROCESS)
ALIVE = Gauge("longshore_alive", "Whether /livez says yes (1) or no (0)", registry=PROCESS)
READY = Gauge("longshore_ready", "Whether /readyz says yes (1) or no (0)", registry=PROCESS)
NOTIFICATIONS = Counter(
    "longshore_notifications",
    "Notifications of NOTIFY_URLS that this process sent: `sent`, or `failed` and tried again later",
    ["outcome"],
    registry=PROCESS,
)

ACCEPTED = Counter("longshore_accepted", "Invocations that were new to the ledger", ["kind"], registry=INGEST)
REPEATED = Counter("longshore_repeated", "Invocations that the ledger had already", registry=INGEST)
SKIPPED = Counter("longshore_skipped", "Messages that are not for this agent", ["reason"], registry=INGEST)
LAG = Gauge(
    "longshore_ingest_lag", "Messages of a partition that are not read yet", ["topic", "partition"], registry=INGEST
)
PARTITIONS = Gauge("longshore_ingest_partitions", "Partitions assigned to this process", registry=INGEST)
PAUSED = Gauge(
    "longshore_ingest_paused",
    "Whether reading is paused (1): by the `backlog`, Redis's `memory`, an outage of `redis`, a `stall`, by polling "
    "while no worker has free `slots`, or by an `operator` (`longshore drain`)",
    ["cause"],
    registry=INGEST,
)
PAUSES = Counter("longshore_ingest_pauses", "Pauses of reading", ["cause"], registry=INGEST)

CLAIMED = Counter("longshore_claimed", "Runs that Port gave out to this process by polling", ["kind"], registry=INGEST)
ACKNOWLEDGED = Counter(
    "longshore_acknowledged",
    "Claims acknowledged to Port: `ours`, `not_ours` and dropped, or `not_heard` and asked again",
    ["verdict"],
    registry=INGEST,
)

ATTEMPTS = Counter(
    "longshore_attempts", "Completed attempts, by target and reason code", ["target", "outcome"], registry=WORKER
)
DELIVERY_SECONDS = Histogram(
    "longshore_delivery_seconds",
    "Time from the timestamp in Kafka to the target's acceptance, waits and retries included",
    ["kind"],
    buckets=_DELIVERY_S,
    registry=WORKER,
)
REQUEST_SECONDS = Histogram(
    "longshore_request_seconds", "Duration of single requests to targets", buckets=_REQUEST_S, registry=WORKER
)
ATTEMPTS_DELAYED = Counter(
    "longshore_attempts_delayed",
    "Attempts that have to wait: for a `retry`, `deferred` to another target or until the mapping engine is back, or "
    "with a result that waits for `redis`",
    ["cause"],
    registry=WORKER,
)
DECRYPTION_FAILURES = Counter(
    "longshore_decryption_failures",
    "Encrypted values that could not be decrypted and were sent as they came",
    registry=WORKER,
)
LAPSED = Counter(
    "longshore_leases_lapsed",
    "Lapsed leases that this process has ended, by the new state of the invocation",
    ["state", "reason"],
    registry=WORKER,
)
IN_FLIGHT = Gauge("longshore_in_flight", "Attempts in progress in this process", registry=WORKER)
SLOTS = Gauge("longshore_slots", "Attempts that this process can run at once", registry=WORKER)

DEAD_LETTERS = Counter(
    "longshore_dead_letters", "Invocations that this process made dead letters", ["reason"], registry=FAILURES
)
UNKNOWN_OUTCOMES = Counter(
    "longshore_unknown_outcomes",
    "Invocations that this process parked with an unknown outcome",
    ["reason"],
    registry=FAILURES,
)

MAPPING_VALID = Gauge(
    "longshore_mapping_valid",
    "Whether the mapping file, as it is now, is right (1), or was changed and is refused (0)",
    registry=MAPPING,
)
MAPPING_LOADED = Gauge(
    "longshore_mapping_loaded_timestamp_seconds", "When the mapping in force was loaded", registry=MAPPING
)
MAPPING_INFO = Gauge(
    "longshore_mapping_info", "Always 1; says which mapping is in force", ["fingerprint"], registry=MAPPING
)

SETTINGS_FILE_VALID = Gauge(
    "longshore_settings_file_valid",
    "Whether the file that TARGETS_FILE (in workers) or LIMITS_FILE (in ingest) names is right (1), or was changed and "
    "is refused (0); only where it is set",
    ["setting"],
    registry=MAPPING,
)

PORT_CALLS = Counter(
    "longshore_port_calls",
    "Calls to the Port API: `ok`, `refused` for good, or `unavailable` and tried again later",
    ["outcome"],
    registry=PORT,
)
PORT_SECONDS = Histogram(
    "longshore_port_seconds", "Duration of calls to the Port API", buckets=_REQUEST_S, registry=PORT
)

PROGRAM_UP = Gauge(
    "longshore_program_up", "Whether a child of `longshore run` answers", ["program"], registry=SUPERVISOR
)


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A metric of the fleet: its type in Prometheus, its meaning, its labels."""

    type: str
    meaning: str
    labels: tuple[str, ...] = ()


FLEET = {
    "longshore_fleet_redis_up": MetricSpec(
        "gauge", "Whether Redis answers (1); without it there is no other `fleet` metric"
    ),
    "longshore_fleet_backlog": MetricSpec("gauge", "Invocations that wait"),
    "longshore_fleet_waiting": MetricSpec(
        "gauge",
        "The backlog by what it waits for: a `retry` whose time has not come, others of its `order` that come first, "
        "a `paused` target or lane, an open `breaker`, the `concurrency` or `rate` limit of its target, free `slots`, "
        "or `uncounted`, where there are more lanes than one snapshot reads",
        ("cause",),
    ),
    "longshore_fleet_runnable": MetricSpec(
        "gauge", "Invocations that wait for nothing but free slots: scale workers by this"
    ),
    "longshore_fleet_oldest_seconds": MetricSpec(
        "gauge", "For how long the invocation that waits longest has been due"
    ),
    "longshore_fleet_in_flight": MetricSpec("gauge", "Invocations dispatched or being sent"),
    "longshore_fleet_slots": MetricSpec("gauge", "Attempts that all workers can run at once"),
    "longshore_fleet_workers": MetricSpec("gauge", "Worker processes that send heartbeats"),
    "longshore_fleet_target_waiting": MetricSpec("gauge", "Invocations that wait, by target", ("target",)),
    "longshore_fleet_target_in_flight": MetricSpec(
        "gauge", "Invocations dispatched or being sent, by target", ("target",)
    ),
    "longshore_fleet_target_oldest_seconds": MetricSpec(
        "gauge", "For how long the invocation that waits longest has been due, by target", ("target",)
    ),
    "longshore_fleet_target_paused": MetricSpec("gauge", "Whether an operator paused the target (1)", ("target",)),
    "longshore_fleet_target_breakers": MetricSpec(
        "gauge", "Breakers of the target and its lanes that are open or half open", ("target",)
    ),
    "longshore_fleet_breakers_opened": MetricSpec("counter", "Breakers opened"),
    "longshore_fleet_dead_letters": MetricSpec("gauge", "Dead letters, by reason; counted now and then", ("reason",)),
    "longshore_fleet_unknown_outcomes": MetricSpec(
        "gauge", "Unknown outcomes that wait for a person, by reason; counted now and then", ("reason",)
    ),
    "longshore_fleet_failed": MetricSpec(
        "gauge",
        "Failed invocations that wait for a person: dead letters (`dead`), unknown outcomes (`unknown`)",
        ("state",),
    ),
    "longshore_fleet_accepted": MetricSpec("counter", "Invocations accepted since the ledger was created"),
    "longshore_fleet_ended": MetricSpec(
        "counter", "Invocations that became `done`, `dead` or `unknown`, since the ledger was created", ("state",)
    ),
    "longshore_fleet_reports_waiting": MetricSpec("gauge", "Runs with reports that are not sent to Port yet"),
    "longshore_fleet_outbox_age_seconds": MetricSpec("gauge", "For how long the oldest report to Port has waited"),
    "longshore_fleet_reports_dropped": MetricSpec(
        "counter",
        "Reports that were never sent to Port: run logs `shed` in favour of statuses, or `expired`",
        ("cause",),
    ),
    "longshore_fleet_port_rate_used_ratio": MetricSpec(
        "gauge", "Part of PORT_API_RATE that is used now (0 to 1); 0 without it"
    ),
    "longshore_fleet_redis_memory_bytes": MetricSpec("gauge", "Memory that Redis uses"),
    "longshore_fleet_redis_memory_limit_bytes": MetricSpec("gauge", "Redis's `maxmemory`; 0: none"),
    "longshore_fleet_unaccounted": MetricSpec(
        "gauge", "Accepted invocations that the last audit could not account for"
    ),
    "longshore_fleet_audit_problems": MetricSpec("gauge", "Other problems that the last audit reported"),
    "longshore_fleet_audit_age_seconds": MetricSpec("gauge", "Time since the last audit"),
}
"""The metrics of the fleet, read from the ledger by ingest, Flower and `longshore run`."""
