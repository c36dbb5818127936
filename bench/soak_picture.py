"""The curves of a soak as SVG: one panel for each kind, one line for each process."""

from collections.abc import Iterator, Mapping
from html import escape

from bench.soak_curves import Curves, Slope

WIDTH, PANEL, LEFT, RIGHT, TOP = 760, 130, 60, 190, 46
COLORS = ("#0b6bcb", "#c2410c", "#15803d", "#7e22ce", "#b45309", "#0f766e")
KINDS = {
    "MiB": "memory of each process, MiB",
    "descriptors": "file descriptors",
    "threads": "threads",
    "keys": "keys in Redis",
    "data MiB": "memory of the data in Redis, MiB",
}


def draw(curves: Curves, slopes: Mapping[str, Slope], caption: str) -> str:
    """The picture; `caption` says how long and under which load."""
    height = TOP + len(KINDS) * PANEL + 24
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"',
        'font-size="11">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="12" y="22" font-size="14">{escape(caption)}</text>',
    ]
    for number, (kind, title) in enumerate(KINDS.items()):
        lines += _panel(curves, slopes, kind, title, TOP + number * PANEL)
    minutes = curves.times[-1] / 60
    lines.append(f'<text x="{LEFT}" y="{height - 8}">0</text>')
    lines.append(f'<text x="{WIDTH - RIGHT}" y="{height - 8}" text-anchor="end">{minutes:.0f} min</text>')
    return "\n".join([*lines, "</svg>\n"])


def _panel(curves: Curves, slopes: Mapping[str, Slope], kind: str, title: str, top: float) -> Iterator[str]:
    of_kind = {name: values for name, values in curves.values.items() if name.partition(": ")[2] == kind}
    largest = max((max(values) for values in of_kind.values()), default=1) or 1
    bottom = top + PANEL - 26
    yield f'<text x="{LEFT}" y="{top + 8}" fill="#444">{escape(title)}</text>'
    yield f'<path d="M{LEFT} {top + 14}V{bottom}H{WIDTH - RIGHT}" fill="none" stroke="#999"/>'
    yield f'<text x="{LEFT - 4}" y="{top + 20}" text-anchor="end">{largest:.0f}</text>'
    yield f'<text x="{LEFT - 4}" y="{bottom}" text-anchor="end">0</text>'
    width, height = WIDTH - RIGHT - LEFT, bottom - top - 14
    for number, (name, values) in enumerate(of_kind.items()):
        color, slope = COLORS[number % len(COLORS)], slopes[name]
        points = " ".join(
            f"{LEFT + width * at / curves.times[-1]:.1f},{bottom - height * value / largest:.1f}"
            for at, value in zip(curves.times, values, strict=True)
        )
        yield f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.5"/>'
        legend = f"{name.partition(':')[0]} {slope.mean:.0f}, {slope.per_hour:+.1f}/h, {slope.verdict}"
        yield f'<text x="{WIDTH - RIGHT + 8}" y="{top + 20 + 14 * number}" fill="{color}">{escape(legend)}</text>'
