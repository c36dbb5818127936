"""The charts of the overview, as bars for a template to draw as SVG and rows for the table beside them.

Drawn on the server: no script, nothing from elsewhere, and the same without JavaScript.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from longshore.dashboard import formatting
from longshore.dashboard.overview import MEDIAN, SLOW
from longshore.ledger.activity import Span

SLOT, GAP = 10, 1.5
"""Width of a bar with the gap beside it, and of that gap, in the units of the drawing."""
HEIGHT = 100
"""Of the drawing."""
LEAST = 1.5
"""Height of what is little beside the rest, so that one failure among thousands is seen."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar, from `y` downwards."""

    series: str
    """Names its colour in the stylesheet."""
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """What happened in one span of time."""

    x: float
    text: str
    """The same in words."""
    segments: Sequence[Segment]


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart."""

    name: str
    title: str
    legend: Sequence[tuple[str, str]]
    """Series and their labels, from the bottom to the top."""
    top: str
    """What the full height stands for; empty where there is nothing to draw."""
    bars: Sequence[Bar]
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]
    """When a span began, and its numbers; the last span first, without those in which nothing happened."""

    @property
    def width(self) -> int:
        """Of the drawing."""
        return SLOT * len(self.bars)


def build_charts(spans: Sequence[Span]) -> list[Chart]:
    """The charts of an hour or a day."""
    return [_throughput(spans), _success(spans), _latency(spans)]


def _throughput(spans: Sequence[Span]) -> Chart:
    return _chart(
        "throughput",
        "Throughput",
        [("delivered", "delivered"), ("dead", "dead letters"), ("unknown", "unknown outcomes")],
        spans,
        lambda span: (span.delivered, span.dead, span.unknown),
        _round_up(max(span.ended for span in spans)),
        lambda number: f"{number:,.0f}",
        [("Accepted", lambda span: f"{span.accepted:,}"), ("Delivered", lambda span: f"{span.delivered:,}"),
         ("Dead", lambda span: f"{span.dead:,}"), ("Unknown", lambda span: f"{span.unknown:,}"),
         ("Retries", lambda span: f"{span.retried:,}")],
    )  # fmt: skip


def _success(spans: Sequence[Span]) -> Chart:
    return _chart(
        "success",
        "Success rate",
        [("delivered", "delivered"), ("dead", "failed")],
        spans,
        lambda span: (span.success_rate or 0, span.failed / span.ended if span.ended else 0),
        1.0 if any(span.ended for span in spans) else 0.0,
        formatting.format_share,
        [
            ("Success rate", lambda span: formatting.format_share(span.success_rate)),
            ("Ended", lambda span: f"{span.ended:,}"),
        ],
    )


def _latency(spans: Sequence[Span]) -> Chart:
    def stacked(span: Span) -> tuple[float, float]:
        median = span.latency_ms(MEDIAN) or 0
        return median, (span.latency_ms(SLOW) or 0) - median

    return _chart(
        "latency",
        "Latency",
        [("median", "half within (p50)"), ("slow", "95 % within (p95)")],
        spans,
        stacked,
        _round_up(max(sum(stacked(span)) for span in spans)),
        formatting.format_latency,
        [("p50", lambda span: formatting.format_latency(span.latency_ms(MEDIAN))),
         ("p95", lambda span: formatting.format_latency(span.latency_ms(SLOW)))],
    )  # fmt: skip


def _chart(
    name: str,
    title: str,
    legend: Sequence[tuple[str, str]],
    spans: Sequence[Span],
    values: Callable[[Span], Sequence[float]],
    top: float,
    format_top: Callable[[float], str],
    columns: Sequence[tuple[str, Callable[[Span], str]]],
) -> Chart:
    def words(span: Span) -> Sequence[str]:
        return [format_cell(span) for _, format_cell in columns]

    labels = [label for label, _ in columns]
    busy = [span for span in spans if not span.is_quiet]
    bars = [
        Bar(
            SLOT * number,
            f"{_clock(span)}: {', '.join(f'{label} {word}' for label, word in zip(labels, words(span), strict=True))}",
            _stack([series for series, _ in legend], values(span), top),
        )
        for number, span in enumerate(spans)
    ]
    rows = [(_clock(span), words(span)) for span in reversed(busy)]
    return Chart(name, title, legend, format_top(top) if top else "", bars, labels, rows)


def _stack(series: Sequence[str], values: Sequence[float], top: float) -> list[Segment]:
    parts = [(name, value) for name, value in zip(series, values, strict=True) if value > 0]
    segments, y = [], float(HEIGHT)
    for number, (name, value) in enumerate(parts, 1):
        above = LEAST * (len(parts) - number)
        height = min(max(LEAST, HEIGHT * value / top), y - above)
        y -= height
        segments.append(Segment(name, round(y, 2), round(height, 2)))
    return segments


def _round_up(number: float) -> float:
    """The next number of one digit and zeros; 0 stays."""
    if number <= 0:
        return 0
    magnitude = 10.0 ** math.floor(math.log10(number))
    return next(digit * magnitude for digit in (1, 2, 3, 4, 5, 6, 8, 10) if number <= digit * magnitude * (1 + 1e-9))


def _clock(span: Span) -> str:
    return formatting.format_utc(span.start_ms)[11:16]
