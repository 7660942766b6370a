"""Charts over trading days as SVG text."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from html import escape

#: In pixels: the width of a chart, and its margins.
WIDTH, LEFT, RIGHT, TOP, BOTTOM = 960, 64, 12, 26, 22
#: Up and buy are red, down and sell are green, as everywhere in this market.
RED, GREEN, BLUE, GREY, GOLD = "#c8332e", "#1f8a4c", "#2463c4", "#7a828c", "#b77a00"
#: Numbers of lines of the grid, at most.
_LINES = 5


@dataclass(frozen=True)
class Line:
    """Values by trading day; None is a gap. With `fill` the space between the line and zero is coloured."""

    name: str
    values: Sequence[float | None]
    colour: str
    fill: bool = False


@dataclass(frozen=True)
class Mark:
    """A fill on a chart of prices: a triangle that points up for a purchase and down for a sale."""

    place: int
    value: float
    side: str
    text: str


@dataclass(frozen=True)
class Chart:
    """Lines over the same days, and marks on them.

    Attributes:
        title: The text above.
        days: The days.
        lines: The lines.
        marks: The marks.
        percent: Whether the values are fractions that are written in percent.
        height: In pixels.
    """

    title: str
    days: Sequence[date]
    lines: Sequence[Line]
    marks: Sequence[Mark] = field(default=())
    percent: bool = False
    height: int = 240

    def svg(self) -> str:
        """Return the chart as an SVG element."""
        scale = self._scale()
        parts = [*self._grid(scale), *self._months(), *(self._path(line, scale) for line in self.lines)]
        parts += [self._mark(mark, scale) for mark in self.marks]
        legend = "".join(f'<tspan fill="{line.colour}" dx="12">{escape(line.name)}</tspan>' for line in self.lines)
        parts.append(f'<text x="{LEFT}" y="15" class="title">{escape(self.title)}{legend}</text>')
        label = escape(self.title, quote=True)
        return (
            f'<svg viewBox="0 0 {WIDTH} {self.height}" role="img" aria-label="{label}" '
            f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
        )

    def _scale(self) -> "_Scale":
        values = [value for line in self.lines for value in line.values if value is not None and math.isfinite(value)]
        values += [mark.value for mark in self.marks]
        if any(line.fill for line in self.lines):
            values.append(0.0)
        low, high = min(values, default=0.0), max(values, default=1.0)
        room = (high - low) * 0.03 or abs(high) * 0.01 or 1.0
        low, high = low - (room if low else 0), high + (room if high else 0)
        return _Scale(low, high if high > low else low + 1, self.height)

    def _x(self, place: int) -> float:
        return LEFT + place * (WIDTH - LEFT - RIGHT) / max(len(self.days) - 1, 1)

    def _grid(self, scale: "_Scale") -> list[str]:
        parts, values = [], ticks(scale.low, scale.high)
        for value, text in zip(values, tick_labels(values, percent=self.percent), strict=True):
            y = scale.y(value)
            parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" class="grid"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
        return parts

    def _months(self) -> list[str]:
        """Return the names of years, or of months where there are few days, below the chart."""
        few = len(self.days) <= 300
        names = [f"{day:%Y-%m}" if few else f"{day:%Y}" for day in self.days]
        starts = [place for place in range(1, len(names)) if names[place] != names[place - 1]]
        step = max(1, math.ceil(len(starts) / 14))
        return [
            f'<text x="{self._x(place):.1f}" y="{self.height - 6}" text-anchor="middle">{names[place]}</text>'
            for place in starts[::step]
        ]

    def _path(self, line: Line, scale: "_Scale") -> str:
        steps, pen_is_down = [], False
        for place, value in enumerate(line.values):
            known = value is not None and math.isfinite(value)
            if known and value is not None:
                steps.append(f"{'L' if pen_is_down else 'M'}{self._x(place):.1f} {scale.y(value):.1f}")
            pen_is_down = known
        path = "".join(steps)
        if not line.fill:
            return f'<path d="{path}" fill="none" stroke="{line.colour}" stroke-width="1.4"/>'
        zero, last = scale.y(0.0), self._x(len(line.values) - 1)
        closed = f"{path}L{last:.1f} {zero:.1f}L{self._x(0):.1f} {zero:.1f}Z"
        return f'<path d="{closed}" fill="{line.colour}" fill-opacity="0.25" stroke="{line.colour}"/>'

    def _mark(self, mark: Mark, scale: "_Scale") -> str:
        x, y = self._x(mark.place), scale.y(mark.value)
        way, colour = (1, RED) if mark.side == "buy" else (-1, GREEN)
        shape = f"M{x:.1f} {y:.1f}l5 {9 * way}h-10z"
        return f'<path d="{shape}" fill="{colour}"><title>{escape(mark.text)}</title></path>'


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    height: int

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.height - BOTTOM - share * (self.height - TOP - BOTTOM)


def ticks(low: float, high: float) -> list[float]:
    """Return round values between two values, at most six.

    Examples:
        >>> ticks(0.93, 1.31)
        [1.0, 1.1, 1.2, 1.3]
    """
    raw = (high - low) / _LINES
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(step * number, 12) for number in range(first, math.floor(high / step + 1e-9) + 1)]


def tick_labels(values: Sequence[float], *, percent: bool) -> list[str]:
    """Return the texts of ticks, with as many decimals as tell them apart.

    Examples:
        >>> tick_labels([-0.0025, 0.0, 0.0025], percent=True)
        ['-0.25%', '0.00%', '0.25%']
        >>> tick_labels([997.5, 1000.0, 1002.5], percent=False)
        ['997.5', '1,000.0', '1,002.5']
    """
    shown = [value * 100 if percent else value for value in values]
    step = shown[1] - shown[0] if len(shown) > 1 else 1.0
    decimals = next((count for count in range(12) if math.isclose(round(step, count), step, rel_tol=1e-6)), 12)
    return [f"{value:,.{decimals}f}{'%' if percent else ''}" for value in shown]
