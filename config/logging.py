"""Logging for every program: one line per event, for people on a terminal and as key=value pairs elsewhere.

What the standard library's loggers say (Celery, requests, librdkafka) goes through the same lines. Secrets are masked
by value in the finished line, whoever logged them; keeping payloads out is the duty of those who log.
"""

import json
import logging
import re
import sys
from collections.abc import Collection
from typing import TextIO
from urllib.parse import quote

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from longshore.invocation.masking import MASK, current

SHORTEST_SECRET = 4
"""A shorter one would mask half of every line and is no secret anyway."""

_NAMED = re.compile(
    r"""(?ix) ( (?: authorization | x-port-signature | cookie | (?:api|access|private)[_-]?key
              | password | passwd | secret | token ) (?: \\?["'] )? \s* [:=] \s* (?: \\?["'] )? )
    (?! \*\*\* | \d+\b | none\b | true\b | false\b ) ( (?: (?:bearer|basic|digest)\s+ )? [^\s"'\\,;&}\])]+ )"""
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/-]{8,}=*")
_TELLING = ("authorization", "signature", "cookie", "key", "pass", "secret", "token", "bearer", "basic")
"""What the patterns above need; searching a line for these first is twenty times quicker than for the patterns."""

QUIET = {
    # One line per attempt is ours to write; Celery's two more say less.
    "celery.app.trace": logging.WARNING,
    "celery.worker.strategy": logging.WARNING,
    # Prints whole URLs with their query; what goes wrong comes back as an exception anyway.
    "urllib3": logging.ERROR,
    "kombu": logging.INFO,
    "asyncio": logging.INFO,
    # Says so once per method and look while no worker is there.
    "flower.inspector": logging.ERROR,
}


def configure(level: str, secrets: Collection[str] = (), stream: TextIO | None = None, *, program: str = "") -> None:
    """Send all logging of this process to `stream` (standard error) from `level` up, with `secrets` masked.

    `program` tells the lines of several processes apart that share a stream. May be called again; the last call holds.
    """
    out = sys.stderr if stream is None else stream
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    if program:
        before.append(_of_program(program))
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before, processors=_renderers(on_terminal=out.isatty(), secrets=secrets)
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(max(least, root.level))
    logging.captureWarnings(True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


class SecretMask:
    """Puts `***` in place of each secret in a finished line, also where it stands escaped or URL-quoted.

    Secret are the given values, those of the delivery that the thread is at, and whatever follows a name such as
    `Authorization`, `token` or `password`.
    """

    def __init__(self, secrets: Collection[str]) -> None:
        forms = {form for secret in secrets if len(secret) >= SHORTEST_SECRET for form in _forms(secret)}
        # Longest first, so that a secret which holds another one goes whole.
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, _logger: WrappedLogger, _method: str, line: str) -> str:
        """Return the line without secrets; the last step of rendering."""
        for form in self._forms:
            line = line.replace(form, MASK)
        line = current().text(line)
        # Folded as the patterns ignore case: they take a long s for an s, too.
        folded = line.casefold()
        if not any(word in folded for word in _TELLING):
            return line
        return _NAMED.sub(rf"\1{MASK}", _BEARER.sub(rf"\1 {MASK}", line))


def _forms(secret: str) -> set[str]:
    escaped = secret.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return {secret, escaped, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe="")}


def _renderers(*, on_terminal: bool, secrets: Collection[str]) -> list[Processor]:
    drop_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    # Both render tracebacks plainly: the rich ones show local variables, and with them payloads.
    if on_terminal:
        plain = structlog.dev.plain_traceback
        renderer: Processor = structlog.dev.ConsoleRenderer(timestamp_key="time", exception_formatter=plain)
        return [drop_meta, renderer, SecretMask(secrets)]  # type: ignore[list-item]
    order = ["time", "level", "event", "program", "logger"]
    logfmt = structlog.processors.LogfmtRenderer(key_order=order, drop_missing=True, bool_as_flag=False)
    return [drop_meta, structlog.processors.format_exc_info, _safe_keys, logfmt, SecretMask(secrets)]  # type: ignore[list-item]


def _of_program(name: str) -> Processor:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {**event, "program": name}

    return add


def _safe_keys(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    # logfmt refuses keys with spaces, and a line of somebody's library must not raise for its `extra`.
    return {key.replace(" ", "_").replace("=", "_").replace('"', "_"): value for key, value in event.items()}
