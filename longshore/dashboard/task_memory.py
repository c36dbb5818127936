"""What Flower remembers of tasks, in less than half of the bytes it would need by itself.

Celery's `Task` is a dictionary with everything an event has brought, a weak set of children and entries in four
indexes, about 4.7 kB; Flower's search keeps another copy of its texts. Flower asks for little of that. So here a task
is slots with the fields Flower shows, equal texts are kept once, and the indexes that Flower never reads stay empty.
"""

import sys
from typing import Any
from weakref import WeakSet

from celery import states
from celery.events.state import TASK_EVENT_TO_STATE, Task
from flower.events import EventsState, PrometheusMetrics, get_prometheus_metrics
from flower.utils.search import EXACT_INDEX_FIELDS, SearchDocument, TaskSearchEngine

from longshore.dashboard.plain import plain

MOST_NAMES = 10_000
"""Names of tasks that Flower's API lists; ours hold the target, and a message can bring any."""

_ALIKE = frozenset({"name", "state", "kwargs", "result", "exception", "exchange", "routing_key", "client"})
"""Fields whose texts many tasks share; `result` is a status and a duration."""

_SHORT = 200
"""Characters of a text that is worth looking for among those kept already."""

_MADE = ("root", "parent", "children")
_KEPT = tuple(name for name in Task._fields if name not in _MADE)


class SeenTask(Task):
    """A task as Flower shows it; `Task` of Celery in what others can ask of it."""

    __slots__ = (*_KEPT, "_children", "cluster_state")

    def __init__(self, uuid: str | None = None, cluster_state: Any = None, children: Any = None, **fields: Any) -> None:
        for name in _KEPT:
            setattr(self, name, None)
        self.state, self.clock = states.PENDING, 0
        self.uuid, self.cluster_state = uuid, cluster_state
        self._children: WeakSet[SeenTask] | None = None
        self._keep(fields)

    def event(self, type_: str, timestamp: Any = None, local_received: Any = None, fields: Any = None) -> None:
        """Takes in what happened. What comes late, e.g. `received` after `started`, changes only what is its own."""
        fields = dict(fields or {})
        state = TASK_EVENT_TO_STATE.get(type_)
        if state is None:
            state = type_.upper()
        else:
            setattr(self, type_, timestamp)
        late = states.precedence(state) > states.precedence(self.state)
        if late and states.RETRY not in (state, self.state):
            own = self.merge_rules.get(state)
            self._keep(fields if own is None else {name: fields[name] for name in own if name in fields})
        else:
            self._keep({**fields, "state": state, "timestamp": timestamp})

    def as_dict(self) -> dict[str, Any]:
        """All fields by name, relatives by their ids."""
        children = [one.id for one in self._children or ()]
        relatives = {"root": self.root_id, "parent": self.parent_id, "children": children}
        return {name: relatives[name] if name in _MADE else getattr(self, name) for name in self._fields}

    @property
    def children(self) -> Any:
        """Tasks that this one has sent; the set is made when it is first asked for."""
        if self._children is None:
            self._children = WeakSet()
        return self._children

    @property
    def parent(self) -> Any:
        """The task that has sent this one, if it is remembered."""
        return self._relative(self.parent_id)

    @property
    def root(self) -> Any:
        """The task that all began with, if it is remembered."""
        return self._relative(self.root_id)

    def _relative(self, id: str | None) -> Any:
        return self.cluster_state.tasks.data.get(id) if id and self.cluster_state else None

    def _keep(self, fields: dict[str, Any]) -> None:
        for name, value in fields.items():
            if name in _ALIKE:
                setattr(self, name, once(value))
            elif name in _KEPT and name != "uuid":
                setattr(self, name, self.uuid if value == self.uuid else value)


class Document(SearchDocument):
    """What Flower's search looks through; the text of all fields is put together when it is asked for."""

    __slots__ = ("_uuid",)

    def __init__(self, task: SeenTask) -> None:
        made = SearchDocument.from_task(task)
        for name in SearchDocument.__slots__:
            if name != "all_text":
                folded, given = getattr(made, name), getattr(task, name, None)
                setattr(self, name, given if folded == given else once(folded))
        self._uuid = task.uuid or ""

    @property
    def all_text(self) -> str:
        """As Flower joins them."""
        fields = (self._uuid.casefold(), self.name, self.state, self.worker, self.args, self.kwargs, self.result)
        return "\0".join(fields)


class Index(TaskSearchEngine):
    """Flower's search over small documents."""

    def _index(self, task_id: str, task: SeenTask) -> None:
        document = self.documents[task_id] = Document(task)
        for field in EXACT_INDEX_FIELDS:
            if value := getattr(document, field):
                self.exact_postings[field][value].add(task_id)
        for pair in document.kwargs_pairs:
            self.kwargs_postings[pair].add(task_id)


class Memory(EventsState):
    """Flower's memory of workers and tasks."""

    Task = SeenTask

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._taskheap = _Nothing()
        self._seen_types = _Few()
        self.tasks_by_type = self.tasks_by_worker = _NoIndex()
        self.search_engine = Index()
        self.search_engine.rebuild(self.tasks.items())
        self.metrics: Any = _Kinds(get_prometheus_metrics())

    def event(self, event: dict[str, Any]) -> None:
        """Takes in an event of anybody who can write to Redis."""
        super().event(plain(event))


class _Kinds:
    """Flower's metrics by the kind of task alone: the target in its name is anybody's, a label's values are few."""

    def __init__(self, metrics: PrometheusMetrics) -> None:
        self._metrics = metrics

    def __getattr__(self, name: str) -> Any:
        return getattr(self._metrics, name)

    def observe_task(self, worker: str, event: dict[str, Any], task: SeenTask) -> None:
        """As Flower's."""
        name = event.get("name") or task.name or ""
        self._metrics.observe_task(worker, {**event, "name": name.partition(" ")[0]}, task)


class _Nothing(list[Any]):
    """Where events in order of time would be kept, four a task."""

    def insert(self, *_: Any) -> None:
        """Keeps nothing."""


class _Few(set[str]):
    def add(self, name: str) -> None:
        """Keeps it while they are few."""
        if len(self) < MOST_NAMES:
            super().add(name)


class _NoMembers(WeakSet[Any]):
    def add(self, item: Any) -> None:
        """Keeps nothing."""


class _NoIndex(dict[str, Any]):
    """Name → tasks, always none."""

    _none = _NoMembers()

    def __missing__(self, name: str) -> _NoMembers:
        return self._none


def once(value: Any) -> Any:
    """`value`; of equal short texts always the same one."""
    return sys.intern(value) if type(value) is str and len(value) <= _SHORT else value
