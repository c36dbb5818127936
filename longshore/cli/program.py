"""One program of an agent, and how a supervisor starts it: `python -P -m longshore.cli.program ROLE NAME SOCKET`.

A supervisor does not start the command itself: its parser would only cost each process time and memory.
"""

import sys
from collections.abc import Callable

from config.roles import Role
from longshore.cli import unused_extras


def run(role: Role, supervised_as: str = "", metrics_socket: str = "") -> int:
    """Run ingest, a worker or Flower until it is told to stop; returns the exit code. See `start_program`."""
    program = _import_program(role)
    from longshore.cli.start import start_program

    return program(start_program(role, supervised_as, metrics_socket))


def _import_program(role: Role) -> Callable[..., int]:
    # Each only where it is run: together they are Kafka's client, Celery and Flower.
    match role:
        case Role.INGEST:
            from ingest.service import run as ingest

            return ingest
        case Role.WORKER:
            from tasks.worker.process import run as worker

            return worker
        case Role.FLOWER:
            from longshore.cli.flower import run as flower

            return flower
    raise ValueError(role)


def build_argv(role: Role, name: str, metrics_socket: str = "") -> list[str]:
    """The command line of one of our programs, as the child called `name`, with its metrics at `metrics_socket`.

    -P keeps the working directory out of the import path: a `tasks.py` there must not stand in for ours.
    """
    return [sys.executable, "-P", "-m", __name__, role.value, name, metrics_socket]


def _main(role: str, name: str, metrics_socket: str) -> None:
    unused_extras.hide()
    from longshore.cli.error_exit import exit_on_errors

    with exit_on_errors():
        sys.exit(run(Role(role), name, metrics_socket))


if __name__ == "__main__":
    _main(*sys.argv[1:])
