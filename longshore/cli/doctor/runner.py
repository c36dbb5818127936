"""Runs the checks: all at once, none in the way of another, each only for so long."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from queue import Empty, SimpleQueue

from longshore.cli.doctor.finding import Check, CheckContext, Finding, broken

_END = object()


class CheckRunner:
    """Checks under way, begun when this is made; `progress` hears the name of each one that has ended."""

    def __init__(
        self, checks: Mapping[str, Check], context: CheckContext, most_s: float, progress: Callable[[str], None]
    ) -> None:
        self._until = time.monotonic() + most_s
        self._most_s = most_s
        self._queues: dict[str, SimpleQueue[object]] = {}
        for name, check in checks.items():
            queue = self._queues[name] = SimpleQueue()
            # Not waited for at the end: a look-up of a name cannot be cut off.
            threading.Thread(
                target=_run, args=(name, check, context, queue, progress), name=f"check-{name}", daemon=True
            ).start()

    def findings(self) -> Iterator[tuple[str, Finding]]:
        """Area and finding, area by area in the order of `checks`, each as soon as it is known."""
        for name, queue in self._queues.items():
            while True:
                try:
                    finding = queue.get(timeout=max(0.0, self._until - time.monotonic()))
                except Empty:
                    yield (
                        name,
                        broken(f"it was not done within {self._most_s:g} s", "Look at what hangs, or give --timeout"),
                    )
                    break
                if not isinstance(finding, Finding):
                    break
                yield name, finding


def _run(
    name: str, check: Check, context: CheckContext, queue: "SimpleQueue[object]", progress: Callable[[str], None]
) -> None:
    try:
        for finding in check(context):
            queue.put(finding)
    except Exception as error:  # a fault of ours, or of a library, must not hide what the others found
        queue.put(broken(f"the check failed ({type(error).__name__})", "Report it; the other checks are not affected"))
    finally:
        progress(name)
        queue.put(_END)
