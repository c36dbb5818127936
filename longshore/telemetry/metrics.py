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
INTAKE = CollectorRegistry()
WORK = CollectorRegistry()
ENDS = CollectorRegistry()
"""Of whoever makes dead letters: ingest and workers."""
PORT = CollectorRegistry()
"""Of whoever calls the Port API: ingest and workers."""
TREE = CollectorRegistry()
"""Of `longshore run`."""

_DELIVERY_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400)
_REQUEST_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

ProcessCollector(registry=PROCESS)

INFO = Gauge("longshore_info", "Always 1; says which program this is", ["role", "version"], registry=PROCESS)
ALIVE = Gauge("longshore_alive", "Whether /livez says yes (1) or no (0)", registry=PROCESS)
READY = Gauge("longshore_ready", "Whether /readyz says yes (1) or no (0)", registry=PROCESS)

ACCEPTED = Counter("longshore_accepted", "Invocations that were new to the ledger", ["kind"], registry=INTAKE)
REPEATED = Counter("longshore_repeated", "Invocations that the ledger had already", registry=INTAKE)
SKIPPED = Counter("longshore_skipped", "Messages that are not for this agent", ["reason"], registry=INTAKE)
LAG = Gauge(
    "longshore_ingest_lag", "Messages of a partition that are not read yet", ["topic", "partition"], registry=INTAKE
)
PARTITIONS = Gauge("longshore_ingest_partitions", "Partitions assigned to this process", registry=INTAKE)
PAUSED = Gauge(
    "longshore_ingest_paused",
    "Whether reading is paused (1), because of the `backlog`, Redis's `memory`, `redis` being away, or a `stall`",
    ["cause"],
    registry=INTAKE,
)
PAUSES = Counter("longshore_ingest_pauses", "How often reading was paused", ["cause"], registry=INTAKE)

ATTEMPTS = Counter(
    "longshore_attempts", "Attempts that ended, by target and reason code", ["target", "outcome"], registry=WORK
)
DELIVERY_SECONDS = Histogram(
    "longshore_delivery_seconds",
    "From the timestamp in Kafka to the target's acceptance, waits and retries included",
    ["kind"],
    buckets=_DELIVERY_S,
    registry=WORK,
)
REQUEST_SECONDS = Histogram(
    "longshore_request_seconds", "What single requests to targets took", buckets=_REQUEST_S, registry=WORK
)
WAITS = Counter(
    "longshore_waits",
    "Attempts that led to a wait: a `retry`, `deferred` to another target or for want of the mapping engine, or a "
    "result that waits for `redis`",
    ["cause"],
    registry=WORK,
)
LAPSED = Counter(
    "longshore_leases_lapsed",
    "Leases that this process found lapsed, by what became of the invocation",
    ["state", "reason"],
    registry=WORK,
)
IN_FLIGHT = Gauge("longshore_in_flight", "Attempts under way in this process", registry=WORK)
SLOTS = Gauge("longshore_slots", "Attempts that this process offers to have under way at once", registry=WORK)

DEAD_LETTERS = Counter("longshore_dead_letters", "Invocations given up by this process", ["reason"], registry=ENDS)
UNKNOWN_OUTCOMES = Counter(
    "longshore_unknown_outcomes", "Invocations parked by this process as unknown", ["reason"], registry=ENDS
)

PORT_CALLS = Counter(
    "longshore_port_calls",
    "Calls to the Port API: `ok`, `refused` for good, or `unavailable` and to be tried again",
    ["outcome"],
    registry=PORT,
)
PORT_SECONDS = Histogram("longshore_port_seconds", "What calls to the Port API took", buckets=_REQUEST_S, registry=PORT)

PROGRAM_UP = Gauge("longshore_program_up", "Whether a child of `longshore run` answers", ["program"], registry=TREE)


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A metric of the fleet: its type in Prometheus, its meaning, its labels."""

    type: str
    meaning: str
    labels: tuple[str, ...] = ()


FLEET = {
    "longshore_fleet_redis_up": MetricSpec(
        "gauge", "Whether Redis could be asked; without it no other `fleet` metric is"
    ),
    "longshore_fleet_backlog": MetricSpec("gauge", "Invocations that wait"),
    "longshore_fleet_waiting": MetricSpec(
        "gauge",
        "The backlog by what it waits for: a `retry` whose time has not come, a `paused` target or lane, an open "
        "`breaker`, the `concurrency` or `rate` of its target, free `slots`, or `uncounted`, where there are more "
        "lanes than one look takes",
        ("cause",),
    ),
    "longshore_fleet_permitted": MetricSpec("gauge", "Invocations that only need free slots: what to scale by"),
    "longshore_fleet_oldest_seconds": MetricSpec("gauge", "For how long the one that waits longest has been due"),
    "longshore_fleet_in_flight": MetricSpec("gauge", "Invocations handed out or being sent"),
    "longshore_fleet_slots": MetricSpec("gauge", "Attempts that all workers offer to have under way at once"),
    "longshore_fleet_workers": MetricSpec("gauge", "Worker processes that beat"),
    "longshore_fleet_target_waiting": MetricSpec("gauge", "Invocations that wait, by target", ("target",)),
    "longshore_fleet_target_in_flight": MetricSpec(
        "gauge", "Invocations handed out or being sent, by target", ("target",)
    ),
    "longshore_fleet_target_oldest_seconds": MetricSpec(
        "gauge", "For how long the one that waits longest has been due, by target", ("target",)
    ),
    "longshore_fleet_target_paused": MetricSpec("gauge", "Whether an operator paused the target (1)", ("target",)),
    "longshore_fleet_target_breakers": MetricSpec(
        "gauge", "Breakers of the target and its lanes that are open or not closed again", ("target",)
    ),
    "longshore_fleet_breakers_opened": MetricSpec("counter", "How often a breaker opened"),
    "longshore_fleet_dead_letters": MetricSpec(
        "gauge", "Dead letters that are kept, by reason; counted every now and then", ("reason",)
    ),
    "longshore_fleet_unknown_outcomes": MetricSpec(
        "gauge", "Unknown outcomes that wait for a person, by reason; counted every now and then", ("reason",)
    ),
    "longshore_fleet_letters": MetricSpec(
        "gauge", "Dead letters (`dead`) and unknown outcomes (`unknown`) now", ("state",)
    ),
    "longshore_fleet_accepted": MetricSpec("counter", "Invocations accepted since the ledger began"),
    "longshore_fleet_ended": MetricSpec(
        "counter", "Invocations that were `done`, `dead` or `unknown`, since the ledger began", ("state",)
    ),
    "longshore_fleet_reports_waiting": MetricSpec("gauge", "Runs with reports that Port has not heard"),
    "longshore_fleet_outbox_age_seconds": MetricSpec("gauge", "For how long the oldest report to Port has waited"),
    "longshore_fleet_reports_dropped": MetricSpec(
        "counter", "Reports Port never heard: run logs `shed` for statuses, or `expired`", ("why",)
    ),
    "longshore_fleet_port_budget_used": MetricSpec(
        "gauge", "Share of the second's budget of calls to Port that is drawn (0 to 1); 0 without PORT_API_RATE"
    ),
    "longshore_fleet_redis_memory_bytes": MetricSpec("gauge", "Memory that Redis uses"),
    "longshore_fleet_redis_memory_limit_bytes": MetricSpec("gauge", "Redis's `maxmemory`; 0: none"),
    "longshore_fleet_unaccounted": MetricSpec(
        "gauge", "Accepted invocations that the last audit could not account for"
    ),
    "longshore_fleet_audit_problems": MetricSpec("gauge", "Whatever else the last audit found wrong"),
    "longshore_fleet_audit_age_seconds": MetricSpec("gauge", "How long ago the last audit ended"),
}
"""The metrics of the fleet, read from the ledger by ingest, Flower and `longshore run`."""
