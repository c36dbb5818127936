"""Logging for every program: one line per event, for people on a terminal and as key=value pairs elsewhere.

What the standard library's loggers say (Celery, requests, librdkafka) goes through the same lines. Secrets are masked
by value in the finished line, whoever logged them; keeping payloads out is the duty of those who log. Nothing in a
foreign text acts on a terminal that shows the log.
"""

import logging
import re
import sys
from collections.abc import Collection
from functools import lru_cache
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from config.log_lines import LineHandler, PlainLines
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

_HINTS = (
    "auth", "sig", "cookie", "key", "pass", "pwd", "secret", "token", "cred", "jwt", "code=", "otp", "hmac", "sas",
    "crumb", "bearer", "sid=", "header",
)  # fmt: skip
"""Parts of the names of secrets; searching a line for these first is quicker than for each of its names."""

MIN_LEVELS = {
    # One line per attempt is ours to write; Celery's two more say less.
    "celery.app.trace": logging.WARNING,
    "celery.worker.strategy": logging.WARNING,
    # Prints whole URLs with their query; what goes wrong comes back as an exception anyway.
    "urllib3": logging.ERROR,
    "kombu": logging.INFO,
    "asyncio": logging.INFO,
    # Quotes the trace headers that it drops, whatever stands in them.
    "opentelemetry.trace": logging.ERROR,
    # Warns once per method and page while no worker runs.
    "flower.inspector": logging.ERROR,
}


def configure(level: str, secrets: Collection[str] = (), stream: TextIO | None = None, *, program: str = "") -> None:
    """Send all logging of this process to `stream` (standard error) from `level` up, with `secrets` masked.

    `program` tells the lines of several processes apart that share a stream. May be called again; the last call holds.
    """
    out = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    if program:
        shared.append(_add_program(program))
    handler = LineHandler(out)
    mask = SecretMask(secrets)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=_renderers(on_terminal=out.isatty(), mask=mask)
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, min_level in MIN_LEVELS.items():
        logging.getLogger(name).setLevel(max(min_level, root.level))
    logging.captureWarnings(True)
    processors: list[Processor] = [
        structlog.stdlib.filter_by_level,
        *shared,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ]
    global _plain_lines
    _plain_lines = None if out.isatty() else (tuple(processors), PlainLines(handler, mask.mask, program))
    structlog.configure(
        processors=processors,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def plain_lines() -> PlainLines | None:
    """What writes lines past the processors; None where somebody else has a say in how they look, or reads them too."""
    if _plain_lines is None:
        return None
    processors, lines = _plain_lines
    is_ours = (
        logging.getLogger().handlers == [lines.handler] and tuple(structlog.get_config()["processors"]) == processors
    )
    return lines if is_ours else None


_plain_lines: tuple[tuple[Processor, ...], PlainLines] | None = None


class SecretMask:
    """Puts `***` in place of each secret in a finished line, in whatever spelling it stands there.

    Secret are the values in `secrets`, those of the delivery that the thread works on, and whatever follows a name
    such as `Authorization`, `token` or `password`, or one of a query such as `?code=`.
    """

    def __init__(self, secrets: Collection[str]) -> None:
        self._mask = Mask(secrets)

    def __call__(self, _logger: WrappedLogger, _method: str, line: str) -> str:
        """Return the line without secrets."""
        return self.mask(line)

    def mask(self, line: str) -> str:
        """Return the line without secrets."""
        current = current_mask()
        line = current.text(line if current.covers(self._mask) else self._mask.text(line))
        # Folded as the patterns ignore case: they take a long s for an s, too.
        folded_line = line.casefold()
        if not any(hint in folded_line for hint in _HINTS):
            return line
        return _HEADER_VALUE.sub(rf"\1{MASK}", _mask_named_values(line))


def _mask_named_values(line: str) -> str:
    """`line` with `***` for what follows the names of secrets."""
    parts, end = [], 0
    for match in _NAME.finditer(line):
        is_secret = is_sensitive_parameter if match[1] else is_sensitive
        if match.start() >= end and is_secret(match[2]) and (value := _VALUE.match(line, match.end())):
            parts += [line[end : match.end()], MASK]
            end = value.end()
    return "".join((*parts, line[end:]))


def _renderers(*, on_terminal: bool, mask: SecretMask) -> list[Processor]:
    drop_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    # Both render tracebacks plainly: the rich ones show local variables, and with them payloads.
    if on_terminal:
        plain = structlog.dev.plain_traceback
        renderer: Processor = structlog.dev.ConsoleRenderer(timestamp_key="time", exception_formatter=plain)
        parts = [drop_meta, structlog.processors.format_exc_info, _printable_values(mask), renderer]
        return [*parts, mask]  # type: ignore[list-item]
    order = ["time", "level", "event", "program", "logger"]
    logfmt = structlog.processors.LogfmtRenderer(key_order=order, drop_missing=True, bool_as_flag=False)
    parts = [drop_meta, structlog.processors.format_exc_info, _safe_keys, logfmt]
    return [*parts, mask, _printable_line]  # type: ignore[list-item]


def _printable_values(mask: SecretMask) -> Processor:
    """For a terminal's line, which gets its colours behind this. A secret is masked before it is spelled out."""

    def value_of(key: str, value: object) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        text = value if isinstance(value, str) else repr(value)
        return printable(mask(None, "", text), "\n\t" if key in ("exception", "stack") else "")

    def to_printable(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {printable(key): value_of(key, value) for key, value in event.items()}

    return to_printable


def _printable_line(_logger: WrappedLogger, _method: str, line: str) -> str:
    return printable(line)


def _add_program(name: str) -> Processor:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {**event, "program": name}

    return add


def _safe_keys(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    # logfmt refuses keys with spaces, and a line of somebody's library must not raise for its `extra`.
    return {_safe_key(key): value for key, value in event.items()}


@lru_cache(1024)
def _safe_key(key: str) -> str:
    return printable(key).replace(" ", "_").replace("=", "_").replace('"', "_")
