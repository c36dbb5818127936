"""`longshore mapping test`: what a mapping file makes of a message, without sending anything."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from config.environment import read_environment
from config.mapping_file import load_mapping
from config.pasted import find_pasting_mistakes
from config.settings import Settings, load
from longshore.cli import terminal
from longshore.cli.exit_codes import FAILED, SKIPPED
from longshore.delivery.outcome import Response
from longshore.invocation import json_text
from longshore.invocation.mapping import Mapping
from longshore.invocation.stream import Stream

if TYPE_CHECKING:
    from longshore.operations.dry_run import DryRunResult

_ENVELOPE = frozenset({"statusCode", "status", "headers", "content_type", "body", "text", "json"})

commands = typer.Typer(no_args_is_help=True)


@commands.callback()
def _mapping() -> None:
    """Try mapping files out."""


@commands.command("test")
def run_test(
    message: Annotated[
        Path,
        typer.Option(
            "--message",
            exists=True,
            dir_okay=False,
            allow_dash=True,
            help="A Kafka value, or a message that is verified already (JSON); - reads it from standard input.",
        ),
    ],
    file: Annotated[
        Path | None,
        typer.Option("--file", help="The mapping file; default: the one in effect."),
    ] = None,
    response: Annotated[
        Path | None,
        typer.Option(
            "--response",
            exists=True,
            dir_okay=False,
            allow_dash=True,
            help='The target\'s answer: {"statusCode", "headers", "body"}, or only the body of a 200.',
        ),
    ] = None,
    topic: Annotated[
        Stream | None, typer.Option("--topic", help="The topic it is from; default: derived from the message.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object instead of lines.")] = False,
) -> None:
    """Print the request that a message becomes, and what Port would be told. Nothing is sent.

    Secret inputs are decrypted with PORT_CLIENT_SECRET if it is set, and shown as ***.

    Exit codes: 0 it would be sent; 1 it would fail before that; 2 wrong usage; 3 it would be skipped (no mapping is
    enabled for it, or it is not for the agent); 78 the mapping file or a setting is wrong.
    """  # fmt: skip
    from longshore.operations.dry_run import derive_stream, dry_run

    settings = load(role=None)
    raw = _read(message)
    try:
        document = json_text.loads(raw)
    except json_text.Malformed:
        raise typer.BadParameter("is not JSON", param_hint="--message") from None
    if not isinstance(document, dict):
        raise typer.BadParameter("is no JSON object", param_hint="--message")
    parsed_response = _parse_response(_read(response)) if response is not None else None
    mapping = load_mapping(settings, path=file)
    try:
        result = dry_run(raw, topic or derive_stream(document), mapping, settings, parsed_response)
    finally:
        mapping.close()
    values = find_pasting_mistakes(read_environment(), {name.upper() for name in Settings.model_fields})
    for note in (*values, *mapping.warnings, *result.notes, *([result.problem] if result.problem else ())):
        terminal.say(note)
    if as_json:
        terminal.print_json(_as_json(result, mapping))
    else:
        terminal.print_lines(*_format_lines(result))
    if not result.sent:
        raise typer.Exit(SKIPPED if result.skipped else FAILED)


def _read(path: Path) -> bytes:
    return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()


def _parse_response(raw: bytes) -> Response:
    """The answer that a file describes: an object with a status, or else the body of a 200."""
    text = raw.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    status = value.get("statusCode", value.get("status")) if isinstance(value, dict) else None
    if not isinstance(status, int) or isinstance(status, bool) or not set(value) <= _ENVELOPE:
        return Response(200, {"Content-Type": "application/json"}, text)
    body = value.get("text", value.get("body", value.get("json", "")))
    headers = {"Content-Type": str(value.get("content_type", "application/json"))}
    headers_value = value.get("headers")
    headers |= {name: str(item) for name, item in headers_value.items()} if isinstance(headers_value, dict) else {}
    return Response(status, headers, body if isinstance(body, str) and "json" not in value else json.dumps(body))


def _as_json(result: "DryRunResult", mapping: Mapping) -> dict[str, Any]:
    return {**asdict(result), "warnings": list(mapping.warnings)}


def _format_lines(result: "DryRunResult") -> Iterator[str]:
    if result.entry is not None:
        yield f"mapping {result.entry}"
    if result.request is not None:
        request = result.request
        yield f"{request['method']} {request['url'] or '(no URL)'}"
        yield from (f"{name}: {value}" for name, value in request["headers"].items())
        if request["body"] is not None:
            yield ""
            yield request["body"]
    if result.report is not None:
        yield f"\nreport: {json.dumps(result.report, ensure_ascii=False)}"
    if result.calls:
        yield "\nPort would be told:"
        for call in result.calls:
            yield f"{call['method']} {call['path']} {json.dumps(call['json'], ensure_ascii=False)}"
