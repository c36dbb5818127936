"""Every error of ours survives the journey between processes."""

import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import config
import ingest
import longshore
import tasks
from longshore.errors import ConfigError, LongshoreError

PARTS = {str: "words", float: 1.5, int: 3, Path: Path("gone.log")}
"""What to build an error from, by the type of the parameter; anything else gets a problem with a setting."""


def modules_of(package: ModuleType) -> Iterator[str]:
    """The names of all modules of a package that are imported and not run."""
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not found.name.endswith(("__main__", "die_with_parent", "jq_child")):
            yield found.name


def errors() -> list[type[LongshoreError]]:
    """Every class of error in the four packages."""
    for package in (longshore, ingest, tasks, config):
        for name in modules_of(package):
            importlib.import_module(name)
    found: list[type[LongshoreError]] = [LongshoreError]
    for kind in found:
        found.extend(kind.__subclasses__())
    return found


def made(kind: type[LongshoreError]) -> LongshoreError:
    """One of them."""
    if kind.__init__ is LongshoreError.__init__:
        return kind("words")
    parameters = inspect.signature(kind, eval_str=True).parameters.values()
    return kind(*(PARTS.get(parameter.annotation, [ConfigError("A", "b", "c")]) for parameter in parameters))


@pytest.mark.parametrize("kind", errors())
def test_an_error_is_rebuilt_as_it_was(kind: type[LongshoreError]) -> None:
    """Celery pickles errors, and one that cannot be rebuilt brings a worker down."""
    error = made(kind)
    rebuilt = pickle.loads(pickle.dumps(error))

    assert type(error) is type(rebuilt)
    assert str(error) == str(rebuilt)
    assert [repr(part) for part in error.args] == [repr(part) for part in rebuilt.args]


def test_a_problem_that_ends_with_a_question_has_no_full_stop_behind_it() -> None:
    assert "A: b; did you mean 'c'? Correct it." == str(ConfigError("A", "b; did you mean 'c'?", "Correct it."))
