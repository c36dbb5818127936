"""`longshore health`: is the program on this machine alive and ready? For probes that have no HTTP, and for people."""

from typing import Annotated

import typer

from config.settings import Settings, load
from longshore.cli import terminal
from longshore.cli.exit_codes import FAILED
from longshore.errors import ConfigError
from longshore.telemetry.client import Endpoint, Unreachable

WILDCARD_ADDRESSES = ("", "0.0.0.0", "::")
"""Addresses that are listened at, but cannot be asked."""


def health(
    live: Annotated[bool, typer.Option("--live", help="Ask /livez: does it make progress?")] = False,
    ready: Annotated[bool, typer.Option("--ready", help="Ask /readyz, also by default: has it all it needs?")] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the answer.")] = 5.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask the program that serves METRICS_PORT on this machine how it is, and say why where it is not well.

    Exits with 0 if all is well, with 1 if not or if nobody answers, with 78 if METRICS_PORT is not set.
    """
    if live and ready:
        raise typer.BadParameter("give --live or --ready, not both")
    endpoint = _build_endpoint(load(role=None))
    try:
        verdict = endpoint.fetch_verdict("/livez" if live else "/readyz", timeout)
    except Unreachable as error:
        terminal.say(f"port {endpoint.port} at {endpoint.host}: {error}")
        raise typer.Exit(FAILED) from None
    if as_json:
        terminal.print_json(verdict.json())
    else:
        for line in verdict.json()["why"]:
            terminal.say(line)
        terminal.print_lines(("alive" if live else "ready") if verdict.ok else ("not alive" if live else "not ready"))
    if not verdict.ok:
        raise typer.Exit(FAILED)


def _build_endpoint(settings: Settings) -> Endpoint:
    if not settings.metrics_port:
        raise ConfigError("METRICS_PORT", "is 0, so no program serves its health", "Give a port, e.g. 9464")
    address = settings.metrics_address
    return Endpoint("127.0.0.1" if address in WILDCARD_ADDRESSES else address, settings.metrics_port)
