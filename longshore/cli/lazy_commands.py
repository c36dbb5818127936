"""Commands that are imported when they are called: `longshore --help` needs the names and one line of each.

The command or group `NAME` is what the module `longshore.cli.NAME` has as `commands`, or as a function `NAME`.
"""

from importlib import import_module
from typing import Any

import typer
import typer.main
from typer.core import TyperGroup

LAZY = {
    "config": "Look at the configuration.",
    "ca": "Trusted certificates.",
    "dlq": "Dead letters and unknown outcomes: list, requeue, export, purge.",
    "jobs": "Requeue jobs: list, pause, resume.",
    "targets": "Targets and lanes: list, pause, resume, limit.",
    "show": "Show one invocation: where it came from, what was tried, what came of it, what happens next.",
    "status": "Show what waits, what is in flight, what has ended, and who is there to work.",
    "audit": "Add up every offset that was read and every invocation that was accepted. Only reads; safe while work "
    "goes on.",
    "rebuild": "Read Kafka again from a time on, and store what the ledger does not know. For a Redis that was lost.",
    "drain": "Finish everything, so that Port's own agent can take over. Intake stops, until --cancel, in all of the "
    "fleet.",
    "drill": "Pause one target, end one worker, and watch until every invocation is accounted for. For your own "
    "staging.",
    "health": "Ask the program that serves METRICS_PORT on this machine how it is, and say why where it is not well.",
    "doctor": "Look at everything the agent stands on, and say what is broken and what to do. Changes nothing.",
    "mapping": "Try mapping files out.",
    "notify": "Notifications to people: try them out.",
    "shadow": "Write what Longshore would send for each message, beside an agent that goes on. Sends nothing.",
}
"""Name → what the list of commands says. For a command it is the first paragraph of its own text."""

Command = Any
"""One of typer's commands, or a group of them."""


class LazyGroup(TyperGroup):
    """A group with the commands of `LAZY` beside its own."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        for name, text in LAZY.items():
            self.add_command(typer.core.TyperCommand(name, help=text), name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As in its base; the command that is called is imported now."""
        if args[0] in LAZY:
            self.add_command(load(args[0]), args[0])
        return super().resolve_command(ctx, args)


def load(name: str) -> Command:
    """The command or group `name`, with its options."""
    module = import_module(f"longshore.cli.{name}")
    app = typer.Typer()
    if hasattr(module, "commands"):
        app.add_typer(module.commands, name=name, help=LAZY[name])
    else:
        app.command(name)(getattr(module, name))
    return typer.main.get_group(app).commands[name]


def load_all(app: typer.Typer) -> Command:
    """The group that `app` makes with every command imported, for whoever looks at their options."""
    group = typer.main.get_group(app)
    for name in LAZY:
        group.add_command(load(name), name)
    return group
