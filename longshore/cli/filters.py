"""The options of a filter, the same for each command that takes one."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from longshore.ledger.filter_parsing import InvalidFilter, parse_filter

STATE = Annotated[str, typer.Option("--state", help="dead or unknown; default: both.")]
REASON = Annotated[str, typer.Option("--reason", help="Reason code, e.g. http_500.")]
TARGET = Annotated[str, typer.Option("--target", help="Target, e.g. http://deployer.internal:8080.")]
ACTION = Annotated[str, typer.Option("--action", help="Action, e.g. deploy; or a lane: target and action.")]
KIND = Annotated[str, typer.Option("--kind", help="action_run, node_run or change_log.")]
SINCE = Annotated[str, typer.Option("--since", help="Ended at or after: an ISO time, or a span before now, e.g. 2h.")]
UNTIL = Annotated[str, typer.Option("--until", help="Ended at or before: an ISO time, or a span before now, e.g. 30m.")]
TEXT = Annotated[str, typer.Option("--text", help="Text in the run id or in the attempts.")]

_OPTIONS = {"state": STATE, "reason": REASON, "target": TARGET, "action": ACTION, "kind": KIND, "since": SINCE,
            "until": UNTIL, "text": TEXT}  # fmt: skip


def with_filter(command: Callable[..., None]) -> Callable[..., None]:
    """`command` with options of its own and those of a filter, which it gets as its first argument."""

    @wraps(command)
    def run(**arguments: Any) -> None:
        fields = {name: arguments.pop(name) for name in _OPTIONS}
        try:
            filter = parse_filter(fields.__getitem__)
        except InvalidFilter as problem:
            raise typer.BadParameter(str(problem)) from None
        command(filter, **arguments)

    signature = inspect.signature(command)
    _, *own = signature.parameters.values()
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default="", annotation=option)
        for name, option in _OPTIONS.items()
    ]
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own), *options]
    )
    return run
