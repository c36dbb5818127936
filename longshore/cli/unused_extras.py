"""Libraries that import others merely because those are installed: kept from it where we use nothing of that.

It would cost each of our processes 0.2 s of processor time and 6 MB. Whoever needs one of the others still imports it.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

UNUSED = {
    # Tracebacks in colour. Ours are plain, as those show local variables.
    "structlog": ("rich", "colorama", "better_exceptions"),
    # Counters of the client's own, which somebody would have to switch on.
    "redis": ("opentelemetry.metrics", "opentelemetry.sdk"),
    # Messages in YAML: ours are JSON.
    "kombu.serialization": ("yaml",),
    # Colours for what Celery's own commands print, which Flower's is built on.
    "celery.bin.base": ("pygments",),
}
"""Library → what it does without while it is imported."""


class ExtrasFinder:
    """Finds the libraries of `UNUSED`, for which the others are not installed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As Python wants it; None for any other module."""
        if fullname not in UNUSED:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            execute = partial(_execute_without, UNUSED[fullname], spec.loader.exec_module)
            spec.loader.exec_module = execute  # type: ignore[method-assign]
        return spec


def hide() -> None:
    """Hides them from whatever is imported later. To be called once, before anything else is imported."""
    sys.meta_path.insert(0, ExtrasFinder())


def _execute_without(names: Sequence[str], execute: Callable[[ModuleType], None], module: ModuleType) -> None:
    # None says to the import system that there is no such module.
    hidden = [name for name in names if sys.modules.setdefault(name, None) is None]  # type: ignore[arg-type]
    try:
        execute(module)
    finally:
        for name in hidden:
            del sys.modules[name]
