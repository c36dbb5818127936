"""Flower's memory of tasks, in less than half of the bytes that Flower's own takes.

Celery's `Task` is a dictionary with everything an event has brought, a weak set of children and entries in four
indexes, about 4.7 kB; Flower's search keeps another copy of its texts. Flower reads little of that. So here a task
has slots for the fields Flower shows, equal texts are interned, and the indexes that Flower never reads stay empty.
"""

import sys
from typing import Any
from weakref import WeakSet

from celery import states
from celery.events.state import TASK_EVENT_TO_STATE, Task
from flower.events import EventsState, PrometheusMetrics, get_prometheus_metrics
from flower.utils.search import EXACT_INDEX_FIELDS, SearchDocument, TaskSearchEngine

from longshore.dashboard.plain_values import normalize_event

MAX_NAMES = 10_000
"""Most task names that Flower's API lists: ours hold the target, and a message can name any target."""

_INTERNED_FIELDS = frozenset({"name", "state", "kwargs", "result", "exception", "exchange", "routing_key", "client"})
"""Fields whose texts many tasks share; `result` is a status and a duration."""

_MAX_INTERNED_CHARS = 200
"""Characters of the longest text that is interned; longer ones are rarely equal."""

_RELATIVES = ("root", "parent", "children")
_STORED_FIELDS = tuple(name for name in Task._fields if name not in _RELATIVES)


class CompactTask(Task):
    """A task as Flower shows it, with the interface of Celery's `Task`."""

    __slots__ = (*_STORED_FIELDS, "_children", "cluster_state")

    def __init__(self, uuid: str | None = None, cluster_state: Any = None, children: Any = None, **fields: Any) -> None:
        for name in _STORED_FIELDS:
            setattr(self, name, None)
        self.state, self.clock = states.PENDING, 0
        self.uuid, self.cluster_state = uuid, cluster_state
        self._children: WeakSet[CompactTask] | None = None
        self._set_fields(fields)

    def event(self, type_: str, timestamp: Any = None, local_received: Any = None, fields: Any = None) -> None:
        """Applies an event. A late one, e.g. `received` after `started`, sets only the fields that are its own."""
        fields = dict(fields or {})
        state = TASK_EVENT_TO_STATE.get(type_)
        if state is None:
            state = type_.upper()
        else:
            setattr(self, type_, timestamp)
        is_late = states.precedence(state) > states.precedence(self.state)
        if is_late and states.RETRY not in (state, self.state):
            own_fields = self.merge_rules.get(state, fields)
            self._set_fields({name: fields[name] for name in own_fields if name in fields})
        else:
            self._set_fields({**fields, "state": state, "timestamp": timestamp})

    def as_dict(self) -> dict[str, Any]:
        """All fields by name, relatives by their ids."""
        children = [child.id for child in self._children or ()]
        relatives = {"root": self.root_id, "parent": self.parent_id, "children": children}
        return {name: relatives[name] if name in _RELATIVES else getattr(self, name) for name in self._fields}

    @property
    def children(self) -> Any:
        """Tasks that this one has sent; the set is created on first use."""
        if self._children is None:
            self._children = WeakSet()
        return self._children

    @property
    def parent(self) -> Any:
        """The task that has sent this one, if it is remembered."""
        return self._relative(self.parent_id)

    @property
    def root(self) -> Any:
        """The first task of the chain, if it is remembered."""
        return self._relative(self.root_id)

    def _relative(self, id: str | None) -> Any:
        return self.cluster_state.tasks.data.get(id) if id and self.cluster_state else None

    def _set_fields(self, fields: dict[str, Any]) -> None:
        for name, value in fields.items():
            if name in _INTERNED_FIELDS:
                setattr(self, name, intern_text(value))
            elif name in _STORED_FIELDS and name != "uuid":
                setattr(self, name, self.uuid if value == self.uuid else value)


class CompactDocument(SearchDocument):
    """What Flower's search looks through; the text of all fields is joined on use and not stored."""

    __slots__ = ("_uuid",)

    def __init__(self, task: CompactTask) -> None:
        document = SearchDocument.from_task(task)
        for name in SearchDocument.__slots__:
            if name != "all_text":
                folded, value = getattr(document, name), getattr(task, name, None)
                setattr(self, name, value if folded == value else intern_text(folded))
        self._uuid = task.uuid or ""

    @property
    def all_text(self) -> str:
        """As Flower joins them."""
        fields = (self._uuid.casefold(), self.name, self.state, self.worker, self.args, self.kwargs, self.result)
        return "\0".join(fields)


class CompactIndex(TaskSearchEngine):
    """Flower's search over small documents."""

    def _index(self, task_id: str, task: CompactTask) -> None:
        document = self.documents[task_id] = CompactDocument(task)
        for field in EXACT_INDEX_FIELDS:
            if value := getattr(document, field):
                self.exact_postings[field][value].add(task_id)
        for pair in document.kwargs_pairs:
            self.kwargs_postings[pair].add(task_id)


class TaskMemory(EventsState):
    """Flower's memory of workers and tasks."""

    Task = CompactTask

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._taskheap = _DiscardingList()
        self._seen_types = _BoundedSet()
        self.tasks_by_type = self.tasks_by_worker = _DiscardingIndex()
        self.search_engine = CompactIndex()
        self.search_engine.rebuild(self.tasks.items())
        self.metrics: Any = _MetricsByKind(get_prometheus_metrics())

    def event(self, event: dict[str, Any]) -> None:
        """Applies an event, which anybody who can write to Redis may have sent."""
        super().event(normalize_event(event))


class _MetricsByKind:
    """Flower's metrics by kind of task only: the target in a task's name would make too many values of a label."""

    def __init__(self, metrics: PrometheusMetrics) -> None:
        self._metrics = metrics

    def __getattr__(self, name: str) -> Any:
        return getattr(self._metrics, name)

    def observe_task(self, worker: str, event: dict[str, Any], task: CompactTask) -> None:
        """As Flower's."""
        name = event.get("name") or task.name or ""
        self._metrics.observe_task(worker, {**event, "name": name.partition(" ")[0]}, task)


class _DiscardingList(list[Any]):
    """In place of Celery's heap of events in order of time, four for each task."""

    def insert(self, *_: Any) -> None:
        """Keeps nothing."""


class _BoundedSet(set[str]):
    def add(self, name: str) -> None:
        """Adds `name` while the set is small."""
        if len(self) < MAX_NAMES:
            super().add(name)


class _DiscardingSet(WeakSet[Any]):
    def add(self, item: Any) -> None:
        """Keeps nothing."""


class _DiscardingIndex(dict[str, Any]):
    """Name → tasks, always none."""

    _none = _DiscardingSet()

    def __missing__(self, name: str) -> _DiscardingSet:
        return self._none


def intern_text(value: Any) -> Any:
    """`value`; equal short texts become one object."""
    return sys.intern(value) if type(value) is str and len(value) <= _MAX_INTERNED_CHARS else value
