"""Programs that Go builds from source into `.cache/go` of the repository, where they are kept.

`python -m tests.support.go_programs` builds all of them ahead of the tests: it takes minutes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[2] / ".cache" / "go"
REQUIRED = "LONGSHORE_REQUIRE_GO"
"""Set to 1, tests fail instead of being skipped where a program cannot be had."""
BUILD_TIMEOUT_S = 3600
"""One to three minutes on an idle machine."""


@dataclass(frozen=True, slots=True)
class GoProgram:
    """A command of a Go module: `name` is how Go calls the file it builds."""

    name: str
    package: str
    version: str


HELM = GoProgram("helm", "helm.sh/helm/v3/cmd/helm", "v3.19.5")
COMPOSE_READER = GoProgram("cmd", "github.com/compose-spec/compose-go/v2/cmd", "v2.9.0")
"""The compose specification's own reader, with its schema."""


@cache
def path_of(program: GoProgram) -> str:
    """Where the program is, built if need be. Without Go the test is skipped, or fails where that is not allowed."""
    built = CACHE / f"{program.package.replace('/', '-')}@{program.version}" / program.name
    return _keep(built, program.package, ["install", "-trimpath", f"{program.package}@{program.version}"])


@cache
def build_source(source: str) -> str:
    """Where the program is that Go builds from one file with this content; otherwise as `path_of`."""
    built = CACHE / f"source-{sha256(source.encode()).hexdigest()[:16]}" / "program"
    file = CACHE / f"{built.parent.name}.go"
    CACHE.mkdir(parents=True, exist_ok=True)
    (own := file.with_suffix(f".{os.getpid()}")).write_text(source)
    own.rename(file)  # other test processes may read it
    return _keep(built, "a program of a page", ["build", "-trimpath", "-o", built.name, str(file)])


def _keep(built: Path, what: str, arguments: list[str]) -> str:
    if built.is_file():
        return str(built)
    if shutil.which("go") is None:
        reason = f"{what} is built with Go, which is not installed"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    CACHE.mkdir(parents=True, exist_ok=True)
    # Only one of several test processes builds, the others wait.
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.is_file():
            _build(built, arguments)
    return str(built)


def _build(built: Path, arguments: list[str]) -> None:
    # Beside and renamed, so that an interrupted build is never taken for a whole one.
    with tempfile.TemporaryDirectory(dir=CACHE) as unfinished:
        subprocess.run(
            ["go", *arguments],
            env={**os.environ, "GOBIN": unfinished},
            cwd=unfinished,
            timeout=BUILD_TIMEOUT_S,
            check=True,
        )
        built.parent.mkdir(exist_ok=True)
        (Path(unfinished) / built.name).rename(built)


if __name__ == "__main__":
    for each in (HELM, COMPOSE_READER):
        path_of(each)
