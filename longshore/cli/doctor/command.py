"""The command: options, the environment as the agent would have it, lines or JSON, and the exit code."""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Annotated, Any

import typer

from config import logging
from config.environment import read_environment, rewrite_no_proxy
from config.roles import Role
from longshore.cli import terminal
from longshore.cli.doctor.finding import AREAS, CheckContext, Finding, Level
from longshore.cli.doctor.settings import usable
from longshore.cli.exit_codes import DONE, FAILED
from longshore.delivery.send_errors import BadUrl
from longshore.delivery.target import target_of
from longshore.errors import ConfigProblems
from longshore.invocation.masking import Mask
from longshore.runtime import ca_trust

MARKS = {Level.OK: "ok     ", Level.WARNING: "WARNING", Level.BROKEN: "BROKEN "}


def doctor(
    url: Annotated[
        list[str] | None, typer.Option("--url", help="A target to look at as well; may be repeated.")
    ] = None,
    role: Annotated[Role, typer.Option(help="The program whose settings are checked.")] = Role.RUN,
    only: Annotated[list[str] | None, typer.Option("--only", help=f"Only this: {', '.join(AREAS)}.")] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds after which a check that hangs is given up.")] = 30,
    tokens: Annotated[
        bool, typer.Option("--tokens", help="Fetch an access token from each token server, and drop it.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object instead of lines.")] = False,
) -> None:
    """Look at everything the agent stands on, and say what is broken and what to do. Changes nothing.

    Exit codes: 0 nothing is broken (there may be warnings); 1 something is broken; 2 wrong usage.
    """  # fmt: skip
    # Here, as every command would pay for loading Kafka's client.
    from longshore.cli.doctor.checks import CHECKS
    from longshore.cli.doctor.runner import CheckRunner

    if unknown := sorted(set(only or ()) - set(AREAS)):
        raise typer.BadParameter(f"{unknown[0]!r} is none of {', '.join(AREAS)}", param_hint="--only")
    rewrite_no_proxy(os.environ)
    # Libraries would write to standard error what the findings say in plain words.
    logging.configure("CRITICAL")
    context = _build_context(role, url or [], min(5.0, timeout), tokens)
    checks = {name: check for name, check in CHECKS.items() if not only or name in only}
    mask = Mask(context.settings.secrets_to_mask)
    rows: list[dict[str, Any]] = []
    with ca_trust.temporary_bundle(context.settings, os.environ), _progress(list(checks)) as progress:
        for area, finding in CheckRunner(checks, context, timeout, progress).findings():
            rows.append(mask.value(_as_json(area, finding)))
            if not as_json:
                terminal.print_lines(_line(rows[-1]))
    counts = Counter(each["level"] for each in rows)
    summary = {level.value: counts[level.value] for level in Level}
    if as_json:
        terminal.print_json({**summary, "findings": rows})
    terminal.say(f"{summary['ok']} ok, {summary['warning']} warnings, {summary['broken']} broken.")
    # Not through `sys.exit` alone: threads of a check that hangs are left behind.
    sys.stdout.flush()
    raise typer.Exit(FAILED if summary["broken"] else DONE)


def _build_context(role: Role, urls: list[str], connect_s: float, fetches_tokens: bool) -> CheckContext:
    unread = ""
    try:
        environ = read_environment()
    except ConfigProblems as error:
        environ, unread = dict(os.environ), f"{error.problems[0].variable} {error.problems[0].problem}"
    try:
        origins = [target_of(url) for url in urls]
    except BadUrl as error:
        raise typer.BadParameter(str(error), param_hint="--url") from None
    return CheckContext(role, usable(environ), environ, unread, origins, connect_s, fetches_tokens)


@contextmanager
def _progress(names: list[str]) -> Iterator[Any]:
    """Says on standard error what is still under way: in one changing line on a terminal, else line by line."""
    pending, lock = list(names), Lock()
    if sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status(_waiting(pending)) as status:

            def on_done(name: str) -> None:
                with lock:
                    pending.remove(name)
                    status.update(_waiting(pending))

            yield on_done
        return
    terminal.say(_waiting(pending))

    def say_done(name: str) -> None:
        with lock:
            pending.remove(name)
            if pending:
                terminal.say(f"{name} is done; {_waiting(pending)}")

    yield say_done


def _waiting(names: list[str]) -> str:
    return f"looking at {', '.join(names)} ..." if names else "done"


def _as_json(area: str, finding: Finding) -> dict[str, Any]:
    row: dict[str, Any] = {"area": area, "level": finding.level.value, "text": finding.text}
    if finding.remedy:
        row["remedy"] = finding.remedy
    return row | ({"facts": finding.facts} if finding.facts else {})


def _line(row: dict[str, Any]) -> str:
    text = f"{MARKS[Level(row['level'])]} {row['area']}: {row['text']}"
    if row["level"] != Level.OK.value and "remedy" in row:
        text += f"\n        → {row['remedy']}"
    return text
