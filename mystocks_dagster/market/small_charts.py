"""Small charts as SVG text, for places that show an image and run no script."""

import math
from collections.abc import Mapping, Sequence
from typing import TypeGuard
from xml.sax.saxutils import escape

#: In pixels: the size of a chart, its margins, and the height of a line of text.
WIDTH, HEIGHT, _LEFT, _RIGHT, _TEXT = 560, 180, 46, 8, 16
#: Up and buy are red, down and sell are green, as everywhere in this market.
RED, GREEN = "#d14343", "#2e8b57"
_COLOURS = ("#30343b", "#c98a00", "#2f6fd0", "#a23fb0", "#1a8f8f")


def line_chart(title: str, lines: Mapping[str, Sequence[float | None]], ends: tuple[str, str]) -> str:
    """Return lines over the same places; a missing value is a gap.

    Args:
        title: The text above.
        lines: Values by name, all of the same length.
        ends: What is written below the first and the last place.
    """
    values = [value for line in lines.values() for value in line if _is_number(value)]
    low, high = min(values, default=0.0), max(values, default=1.0)
    count = max((len(line) for line in lines.values()), default=0)
    parts = [_path(line, low, high, count, _colour(number)) for number, line in enumerate(lines.values())]
    legend = [(name, _colour(number)) for number, name in enumerate(lines)]
    return _chart(title, legend, ends, (_short(low), _short(high)), parts)


def bar_chart(
    title: str, up: Sequence[float], down: Sequence[float], names: tuple[str, str], ends: tuple[str, str]
) -> str:
    """Return bars up and down from a middle line.

    Args:
        title: The text above.
        up: The red bars, from the first place on.
        down: The green bars, as positive numbers.
        names: What the red and the green bars are.
        ends: What is written below the first and the last place.
    """
    highest = max([*up, *down, 1.0])
    middle, step = (_TEXT * 2 + HEIGHT - _TEXT) / 2, (WIDTH - _LEFT - _RIGHT) / max(len(up), 1)
    scale = (HEIGHT - _TEXT * 3) / 2 / highest
    parts = [f'<path d="M{_LEFT} {middle}H{WIDTH - _RIGHT}" stroke="#9aa0a6"/>']
    for place, (above, below) in enumerate(zip(up, down, strict=True)):
        x, width = _LEFT + place * step, max(step - 1, 0.5)
        parts.append(_rectangle(x, middle - above * scale, width, above * scale, RED))
        parts.append(_rectangle(x, middle, width, below * scale, GREEN))
    legend = [(names[0], RED), (names[1], GREEN)]
    return _chart(title, legend, ends, (_short(highest), _short(highest)), parts)


def _chart(
    title: str,
    legend: Sequence[tuple[str, str]],
    ends: tuple[str, str],
    scale: tuple[str, str],
    parts: Sequence[str],
) -> str:
    coloured = "".join(f'<tspan fill="{colour}" dx="10">{escape(name)}</tspan>' for name, colour in legend)
    texts = [
        f'<text x="{_LEFT}" y="12">{escape(title)}{coloured}</text>',
        f'<text x="{_LEFT}" y="{HEIGHT - 3}">{escape(ends[0])}</text>',
        f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - 3}" text-anchor="end">{escape(ends[1])}</text>',
        f'<text x="{_LEFT - 4}" y="{HEIGHT - _TEXT}" text-anchor="end">{escape(scale[0])}</text>',
        f'<text x="{_LEFT - 4}" y="{_TEXT * 2}" text-anchor="end">{escape(scale[1])}</text>',
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="11" fill="#5f6368">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>{"".join(parts)}{"".join(texts)}</svg>'
    )


def _path(line: Sequence[float | None], low: float, high: float, count: int, colour: str) -> str:
    across, down = (WIDTH - _LEFT - _RIGHT) / max(count - 1, 1), (HEIGHT - _TEXT * 3) / ((high - low) or 1)
    steps, pen_is_down = [], False
    for place, value in enumerate(line):
        if _is_number(value):
            y = HEIGHT - _TEXT - (value - low) * down
            steps.append(f"{'L' if pen_is_down else 'M'}{_LEFT + place * across:.1f} {y:.1f}")
        pen_is_down = _is_number(value)
    return f'<path d="{"".join(steps)}" fill="none" stroke="{colour}" stroke-width="1.3"/>'


def _rectangle(x: float, y: float, width: float, height: float, colour: str) -> str:
    size = f'width="{width:.1f}" height="{height:.1f}"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{colour}"/>' if height else ""


def _is_number(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def _short(value: float) -> str:
    return f"{value:.4g}"
