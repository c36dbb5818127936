"""The console script as a process, and waiting for what processes do without guessing how long it takes."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

SCRIPT = Path(sys.executable).with_name("longshore")

PATIENCE_S = 60.0
"""Long enough for a busy machine; only a failing test waits this long."""

SETTINGS = {
    "PORT_ORG_ID": "org",
    "PORT_CLIENT_ID": "client",
    "PORT_CLIENT_SECRET": "s3cret-value",
    "KAFKA_CONSUMER_GROUP_ID": "org.agent",
}
"""The least that an agent needs."""


def eventually(
    condition: Callable[[], object],
    what: str | Callable[[], str] = "",
    patience_s: float = PATIENCE_S,
    *,
    every_s: float = 0.02,
) -> None:
    """Return as soon as `condition()` is true; fail with `what` if it is not within `patience_s`.

    `what` may be called for words that are only known then. `every_s`: longer for a condition that costs a busy program
    its time.
    """
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what() if callable(what) else what or condition}"
        time.sleep(every_s)


def bare(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ`, and of this process's variables only those that no program can do without."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ} | dict(environ)


def at_home(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """`bare(environ)`, where a program also keeps in `folder` what it would leave in the machine's temporary folder."""
    return bare({"TMPDIR": str(folder), "LONGSHORE_CA_BUNDLE": str(folder / "trusted.crt")} | dict(environ))


def longshore(*arguments: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the console script to its end, in `folder` and with these variables alone."""
    return subprocess.run(
        [str(SCRIPT), *arguments],
        cwd=folder,
        env=at_home(folder, environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


class Program:
    """The console script running in the background; its standard error is kept in a file."""

    def __init__(self, *arguments: str, folder: Path, command: Sequence[str] = (str(SCRIPT),), **environ: str) -> None:
        self.log_path = folder / f"{'-'.join(arguments)}.log"
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, *arguments],
                cwd=folder,
                env=at_home(folder, environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )

    def log(self) -> str:
        """What it has said so far."""
        return self.log_path.read_text()

    def says(self, text: str) -> None:
        """Wait until its log holds `text`."""
        eventually(lambda: text in self.log() or self.process.poll() is not None, f"{text!r} in the log")
        assert text in self.log(), f"it ended with code {self.process.returncode}:\n{self.log()}"

    def stop(self) -> int:
        """Send SIGTERM and wait; returns the exit code."""
        self.process.terminate()
        return self.process.wait(60)

    def close(self) -> None:
        """Make sure that nothing is left of it."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
