"""docs/reference/metrics.md, from the table of metrics."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from longshore.telemetry import metrics

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "metrics.md"

INTRODUCTION = """\
# Metrics

<!-- Written by `make reference` from longshore/telemetry/metrics.py; do not edit. -->

With `METRICS_PORT` set every program serves them at `/metrics`, see [how to monitor](../how-to/monitor.md). On the
page of `longshore run` each metric of a program has its name as the label `program` besides: `run`, `ingest`,
`worker-1`, ... A program that is restarted counts from 0 again.

Labels are bounded: a `target` is an origin (scheme, host and port, never a path or a user name) or `other` beyond
METRICS_TARGETS of them; rare HTTP statuses are `http_4xx` or `http_5xx`. No label holds a run, an action or anything
from a payload.
"""

SECTIONS: dict[str, tuple[CollectorRegistry, str]] = {
    "Every program": (
        metrics.PROCESS,
        "Besides these, `process_...`: CPU, memory, descriptors.",
    ),
    "Ingest": (metrics.INGEST, ""),
    "Workers": (metrics.WORKER, ""),
    "Ingest and workers": (metrics.FAILURES, ""),
    "The mapping, and files for targets": (metrics.MAPPING, "Of ingest and workers."),
    "Calls to Port": (metrics.PORT, "Of ingest and workers."),
    "`longshore run`": (metrics.SUPERVISOR, ""),
}

OF_FLEET = (
    "Read from the ledger when the page is requested, by ingest, Flower and `longshore run`. Every page that has them "
    "has the same values: compare them with `max`, never add them up."
)


class Row(NamedTuple):
    """A metric in the table. `name` is that of its samples, as Prometheus shows them."""

    name: str
    type: str
    labels: tuple[str, ...]
    meaning: str


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for title, (registry, note) in SECTIONS.items():
        parts.append(_section(title, note, counted(registry)))
    parts.append(_section("The fleet", OF_FLEET, of_fleet()))
    return "".join(parts)


def counted(registry: CollectorRegistry) -> Iterator[Row]:
    """The metrics that are counted in a process."""
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase) and registry is _registry_of(metric):
            (family,) = metric.describe()
            # What its labels are called the client does not tell in public.
            yield Row(_sample_name(family.name, family.type), family.type, metric._labelnames, family.documentation)


def of_fleet() -> Iterator[Row]:
    """The metrics that are read from the ledger."""
    for name, fact in metrics.FLEET.items():
        yield Row(_sample_name(name, fact.type), fact.type, fact.labels, fact.meaning)


def rows() -> list[Row]:
    """All of them."""
    return [*(row for registry, _ in SECTIONS.values() for row in counted(registry)), *of_fleet()]


def _registry_of(metric: MetricWrapperBase) -> CollectorRegistry | None:
    registries = [registry for registry, _ in SECTIONS.values()]
    return next((registry for registry in registries if metric in registry._collector_to_names), None)


def _sample_name(name: str, type: str) -> str:
    return f"{name}_total" if type == "counter" else name


def _section(title: str, note: str, rows: Iterator[Row]) -> str:
    head = f"\n## {title}\n\n" + (f"{note}\n\n" if note else "")
    lines = ["| Name | Type | Labels | Meaning |\n| --- | --- | --- | --- |\n"]
    for row in rows:
        labels = ", ".join(f"`{label}`" for label in row.labels)
        lines.append(f"| `{row.name}` | {row.type} | {labels} | {row.meaning} |\n")
    return head + "".join(lines)
