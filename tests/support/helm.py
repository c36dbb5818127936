"""helm itself: the one on PATH, or one that Go builds into `.cache/helm` of the repository and that is kept there.

`python -m tests.support.helm` fetches it ahead of the tests: building takes minutes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

VERSION = "v3.19.5"
MODULE = f"helm.sh/helm/v3/cmd/helm@{VERSION}"
CACHE = Path(__file__).parents[2] / ".cache" / "helm"
REQUIRED = "LONGSHORE_REQUIRE_HELM"
"""Set to 1, tests fail instead of being skipped where helm cannot be had."""
BUILD_TIMEOUT_S = 3600
"""One to three minutes on an idle machine."""


class HelmMissing(Exception):
    """There is no helm: says what was tried."""


@cache
def program() -> str:
    """The path of helm; raises `HelmMissing`. Only one of several test processes builds it, the others wait."""
    built = CACHE / VERSION / "helm"
    if built.is_file():
        return str(built)
    if found := shutil.which("helm"):
        return found
    if shutil.which("go") is None:
        raise HelmMissing("neither helm nor go, which could build it, is on PATH")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.is_file():
            _build(built)
    return str(built)


def _build(built: Path) -> None:
    # Beside and renamed, so that an interrupted build is never taken for a whole one.
    with tempfile.TemporaryDirectory(dir=CACHE) as unfinished:
        done = subprocess.run(
            ["go", "install", "-trimpath", MODULE],
            env={**os.environ, "GOBIN": unfinished},
            cwd=unfinished,
            capture_output=True,
            text=True,
            timeout=BUILD_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise HelmMissing(f"go could not build {MODULE}:\n{done.stderr[-2000:]}")
        built.parent.mkdir(exist_ok=True)
        (Path(unfinished) / "helm").rename(built)


if __name__ == "__main__":
    sys.exit(subprocess.run([program(), "version", "--short"], check=False).returncode)
