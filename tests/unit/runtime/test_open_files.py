"""The limit of open files: raised to what is needed, as far as the system allows."""

import resource
from collections.abc import Iterator

import pytest

from longshore.log import events
from longshore.runtime.open_files import BESIDES, allow_open_files


@pytest.fixture(autouse=True)
def _kept_limit() -> Iterator[None]:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limit)


def soft_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_the_limit_is_raised_to_what_is_needed_and_never_lowered() -> None:
    """By a process that may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    allow_open_files(1000)
    assert 1000 + BESIDES == soft_limit()
    allow_open_files(100)
    assert 1000 + BESIDES == soft_limit()


def test_a_limit_that_cannot_be_raised_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And raised as far as possible."""
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1100))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limit: limits.append(limit))

    allow_open_files(1000)
    assert [(1100, 1100)] == limits
    monkeypatch.undo()
    assert events.WORKER_OPEN_FILES_LIMITED.name in capsys.readouterr().out
