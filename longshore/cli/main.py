"""The console script: commands, and what errors become on their way out.

Exit codes are in `exit_codes`. Data goes to standard output, words to standard error.
A program is imported when its command is called, and so are the commands of `lazy_commands`: `longshore --version` need
not load Kafka and Celery.
"""

from typing import Annotated

import typer

from config.roles import Role
from longshore.cli import program, terminal
from longshore.cli.error_exit import exit_on_errors
from longshore.cli.lazy_commands import LazyGroup
from longshore.cli.version import version

app = typer.Typer(cls=LazyGroup, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
sandbox = typer.Typer(no_args_is_help=True, help="An agent with everything around it, on this machine, to try out.")
app.add_typer(sandbox, name="sandbox")


def main() -> None:
    """Run the command line; never returns."""
    with exit_on_errors():
        app(prog_name="longshore")


def _print_version(value: bool) -> None:
    if value:
        terminal.print_lines(version())
        raise typer.Exit


@app.callback()
def _longshore(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Carries Port's invocations from Kafka to services inside your network, and loses none.

    Every setting is an environment variable: see docs/reference/settings.md, or `longshore config check`.
    """


@app.command()
def run() -> None:
    """Run a whole agent in one process tree: ingest, workers, and Redis where REDIS_URL is empty."""
    from longshore.cli import run
    from longshore.cli.start import start_program

    raise typer.Exit(run.run(start_program(Role.RUN)))


@app.command()
def ingest() -> None:
    """Take invocations from Kafka and store them. Any number may run."""
    raise typer.Exit(program.run(Role.INGEST))


@app.command()
def worker() -> None:
    """Deliver what is stored, and report to Port. Any number may run."""
    raise typer.Exit(program.run(Role.WORKER))


@app.command()
def flower() -> None:
    """Show workers and invocations in a browser, at FLOWER_ADDRESS and FLOWER_PORT."""
    raise typer.Exit(program.run(Role.FLOWER))


@sandbox.command("run")
def sandbox_run(
    polling: Annotated[bool, typer.Option("--polling", help="Let the agent poll Port, without Kafka.")] = False,
) -> None:
    """Send a stream of invocations through an agent and show what happens to each. Ctrl-C ends it."""
    from longshore.sandbox.sandbox import run as sandbox

    raise typer.Exit(sandbox(demo=False, polling=polling))


@sandbox.command("demo")
def sandbox_demo() -> None:
    """Send a fixed list of invocations through an agent; succeeds only if each ends as it should."""
    from longshore.sandbox.sandbox import run as sandbox

    raise typer.Exit(sandbox(demo=True))
