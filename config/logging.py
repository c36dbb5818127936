"""Logging for every program: one line per event, for people on a terminal and as key=value pairs elsewhere.

What the standard library's loggers say (Celery, requests, librdkafka) goes through the same lines. Secrets are masked
by value in the finished line, whoever logged them; keeping payloads out is the duty of those who log. Nothing in a
foreign text acts on a terminal that shows the log.
"""

import logging
import re
import sys
from collections.abc import Collection
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from longshore.invocation.mask_spans import MASK
from longshore.invocation.masking import Mask, current_mask
from longshore.invocation.sensitive_names import is_sensitive, is_sensitive_parameter
from longshore.printable import printable

_NAME = re.compile(r"""(?i)([?&;]?)([a-z_][\w.-]{1,60})(?:\\?["'])?\s*[:=]\s*(?:\\?["'])?""")
_VALUE = re.compile(
    r"""(?i)(?!\*\*\*|\d+\b|none\b|true\b|false\b)(?:(?:bearer|basic|digest|token)\s+)?[^\s"'\\,;&}\])]+"""
)
_HEADER_VALUE = re.compile(r"(?i)(header value:? b?[\\\"']+)(?:bearer|basic)\s[^\"'\\]+")
"""How libraries quote a header that they refuse."""

_TELLING = re.compile("auth|sig|cookie|key|pass|pwd|secret|token|cred|jwt|code=|otp|hmac|sas|crumb|bearer|sid=|header")
"""What the names of secrets have in them; searching a line for these first is quicker than for each of its names."""

QUIET = {
    # One line per attempt is ours to write; Celery's two more say less.
    "celery.app.trace": logging.WARNING,
    "celery.worker.strategy": logging.WARNING,
    # Prints whole URLs with their query; what goes wrong comes back as an exception anyway.
    "urllib3": logging.ERROR,
    "kombu": logging.INFO,
    "asyncio": logging.INFO,
    # Quotes the trace headers that it drops, whatever stands in them.
    "opentelemetry.trace": logging.ERROR,
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
    """Puts `***` in place of each secret in a finished line, in whatever spelling it stands there.

    Secret are the given values, those of the delivery that the thread is at, and whatever follows a name such as
    `Authorization`, `token` or `password`, or one of a query such as `?code=`.
    """

    def __init__(self, secrets: Collection[str]) -> None:
        self._mask = Mask(secrets)

    def __call__(self, _logger: WrappedLogger, _method: str, line: str) -> str:
        """Return the line without secrets."""
        line = current_mask().text(self._mask.text(line))
        # Folded as the patterns ignore case: they take a long s for an s, too.
        return _HEADER_VALUE.sub(rf"\1{MASK}", _unnamed(line)) if _TELLING.search(line.casefold()) else line


def _unnamed(line: str) -> str:
    """`line` without what follows the names of secrets."""
    parts, done = [], 0
    for found in _NAME.finditer(line):
        named = is_sensitive_parameter if found[1] else is_sensitive
        if found.start() >= done and named(found[2]) and (value := _VALUE.match(line, found.end())):
            parts += [line[done : found.end()], MASK]
            done = value.end()
    return "".join((*parts, line[done:]))


def _renderers(*, on_terminal: bool, secrets: Collection[str]) -> list[Processor]:
    drop_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    # Both render tracebacks plainly: the rich ones show local variables, and with them payloads.
    if on_terminal:
        plain = structlog.dev.plain_traceback
        renderer: Processor = structlog.dev.ConsoleRenderer(timestamp_key="time", exception_formatter=plain)
        mask = SecretMask(secrets)
        parts = [drop_meta, structlog.processors.format_exc_info, _printable_values(mask), renderer]
        return [*parts, mask]  # type: ignore[list-item]
    order = ["time", "level", "event", "program", "logger"]
    logfmt = structlog.processors.LogfmtRenderer(key_order=order, drop_missing=True, bool_as_flag=False)
    parts = [drop_meta, structlog.processors.format_exc_info, _safe_keys, logfmt]
    return [*parts, SecretMask(secrets), _printable_line]  # type: ignore[list-item]


def _printable_values(mask: SecretMask) -> Processor:
    """For a terminal's line, which gets its colours behind this. A secret is masked before it is spelled out."""

    def value_of(key: str, value: object) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        text = value if isinstance(value, str) else repr(value)
        return printable(mask(None, "", text), "\n\t" if key in ("exception", "stack") else "")

    def made(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {printable(key): value_of(key, value) for key, value in event.items()}

    return made


def _printable_line(_logger: WrappedLogger, _method: str, line: str) -> str:
    return printable(line)


def _of_program(name: str) -> Processor:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {**event, "program": name}

    return add


def _safe_keys(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    # logfmt refuses keys with spaces, and a line of somebody's library must not raise for its `extra`.
    return {printable(key).replace(" ", "_").replace("=", "_").replace('"', "_"): value for key, value in event.items()}
