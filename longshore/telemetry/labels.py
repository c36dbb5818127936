"""Bounds the number of values a label may take: Prometheus keeps a series for each, and they come from outside."""

import threading

OTHER = "other"

_STATUSES = frozenset({400, 401, 403, 404, 405, 408, 409, 410, 413, 415, 422, 425, 429, 500, 501, 502, 503, 504})
"""Statuses with a name of their own; any other is counted by its class, e.g. `http_4xx`."""


class TargetLabels:
    """The first `max_targets` targets keep their names, all others are `other`. Thread safe."""

    def __init__(self, max_targets: int) -> None:
        self._max_targets = max_targets
        self._labels: set[str] = set()
        self._lock = threading.Lock()

    def of(self, target: str) -> str:
        """The label for `target`."""
        if target in self._labels:
            return target
        with self._lock:
            if len(self._labels) < self._max_targets:
                self._labels.add(target)
        return target if target in self._labels else OTHER


def outcome_of(reason: str) -> str:
    """The label for a reason code: itself, but rare HTTP statuses by their class (`http_4xx`)."""
    head, _, status = reason.partition("http_")
    if head or not status.isdecimal() or int(status) in _STATUSES:
        return reason
    return f"http_{status[0]}xx"
