"""The console script again and again without its start: one process has loaded it, and forks for each call.

For tests of many calls of a command that is the same each time. What a start does is tested elsewhere.
"""

import atexit
import json
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.programs import at_home

SERVER = """
import json, os, sys, traceback
from longshore.cli import main
import longshore.cli.doctor.checks, longshore.cli.doctor.runner, longshore.operations.dry_run

def call(asked, outputs):
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environ"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(outputs[0], 1)
    os.dup2(outputs[1], 2)
    sys.argv = ["longshore", *asked["arguments"]]
    code = 1
    try:
        main.main()
    except SystemExit as ended:
        code = ended.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

for line in sys.stdin:
    asked = json.loads(line)
    outputs = [os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) for path in asked["outputs"]]
    pid = os.fork()
    if pid == 0:
        call(asked, outputs)
    for output in outputs:
        os.close(output)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Warm:
    """Calls of `longshore`, one after the other."""

    def __init__(self, folder: Path) -> None:
        """Leaves the outputs of the last call in `folder`."""
        self._outputs = [folder / "stdout", folder / "stderr"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def call(self, *arguments: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
        """As `longshore` of `programs`: in `folder` and with these variables alone."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {
            "arguments": arguments,
            "folder": str(folder),
            "environ": at_home(folder, environ),
            "outputs": [str(path) for path in self._outputs],
        }
        print(json.dumps(request), file=self._process.stdin, flush=True)
        code = int(self._process.stdout.readline())
        stdout, stderr = (path.read_text() for path in self._outputs)
        return subprocess.CompletedProcess(arguments, code, stdout, stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()


def longshore(*arguments: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """As the one of `programs`, without its start."""
    return _shared().call(*arguments, folder=folder, **environ)


@cache
def _shared() -> Warm:
    """One for all tests of this process."""
    folder = tempfile.TemporaryDirectory()
    warm = Warm(Path(folder.name))
    atexit.register(folder.cleanup)
    atexit.register(warm.__exit__, None, None, None)
    return warm
