"""Candles drawn with characters: a column for each bar, prices at the right, volume below."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from rich.text import Text

#: Colours as people in China read them: red is up.
UP, DOWN, FLAT = "red", "green", "default"
#: What the upper and the lower half of a character hold: nothing, the wick, the body. A rising body is thin (hollow
#: on paper), a falling one is solid, so that they differ without colour.
_RISING = {"..": " ", "ww": "│", "bb": "┃", "wb": "╽", "bw": "╿", ".w": "╷", "w.": "╵", ".b": "╻", "b.": "╹"}
_FALLING = {**_RISING, "bb": "█", "wb": "▄", "bw": "▀", ".b": "▄", "b.": "▀"}
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_VOLUME_ROWS = 3
#: Rows between two prices at the axis.
_STEP = 4


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A bar; prices in CNY per share, volume in shares."""

    day: date
    open: float
    high: float
    low: float
    close: float
    volume: float

    @property
    def colour(self) -> str:
        """The colour of its candle."""
        return UP if self.close > self.open else DOWN if self.close < self.open else FLAT


def room(width: int, highest: float) -> int:
    """Return how many candles fit into `width` columns beside the axis of prices."""
    return max(1, width - len(price(highest)) - 2)


def price(value: float) -> str:
    """Return a price with two decimals, or three where the third is needed, as that of a fund.

    Examples:
        >>> price(1444.0), price(3.875), price(0.1)
        ('1444.00', '3.875', '0.10')
    """
    text = f"{value:.3f}"
    return text.removesuffix("0") if text.endswith("0") else text


def draw(bars: Sequence[Bar], height: int) -> list[Text]:
    """Return the lines of a chart: `height` rows of candles with prices, rows of volume, and a row of days.

    Args:
        bars: The bars, at least one, oldest first; see `room` for how many fit.
        height: Rows of the candles, at least 2.
    """
    low, high = min(bar.low for bar in bars), max(bar.high for bar in bars)
    scale = _Scale(low, high, height)
    lines = []
    for row in range(height):
        line = Text()
        for bar in bars:
            line.append(scale.character(bar, row), bar.colour)
        if row % _STEP == 0 or row == height - 1:
            line.append(f" {price(round(scale.at(row), 2))}", "dim")
        lines.append(line)
    return [*lines, *_volume(bars), _days(bars)]


class _Scale:
    """From prices to half rows, counted from the top."""

    def __init__(self, low: float, high: float, height: int) -> None:
        self._high, self._halves = high, 2 * height
        self._step = (high - low) / (self._halves - 1) or 1.0

    def at(self, row: int) -> float:
        """Return the price at the upper half of a row."""
        return self._high - 2 * row * self._step

    def character(self, bar: Bar, row: int) -> str:
        """Return the part of a candle that is in a row."""
        halves = f"{self._part(bar, 2 * row)}{self._part(bar, 2 * row + 1)}"
        return (_FALLING if bar.close < bar.open else _RISING)[halves]

    def _part(self, bar: Bar, half: int) -> str:
        top, bottom = self._half(max(bar.open, bar.close)), self._half(min(bar.open, bar.close))
        if top <= half <= bottom:
            return "b"
        return "w" if self._half(bar.high) <= half <= self._half(bar.low) else "."

    def _half(self, value: float) -> int:
        return round((self._high - value) / self._step)


def _volume(bars: Sequence[Bar]) -> list[Text]:
    """Return bars of the volume; the largest fills the rows, and any volume above zero shows."""
    largest = max(bar.volume for bar in bars) or 1
    eighths = [-(-bar.volume * 8 * _VOLUME_ROWS // largest) for bar in bars]
    lines = []
    for row in reversed(range(_VOLUME_ROWS)):
        line = Text()
        for bar, filled in zip(bars, eighths, strict=True):
            line.append(_EIGHTHS[int(min(8, max(0, filled - 8 * row)))], bar.colour)
        if row == _VOLUME_ROWS - 1:
            line.append(f" {volume(largest)}", "dim")
        lines.append(line)
    return lines


def volume(shares: float) -> str:
    """Return a number of shares in 万 or 亿, as people in China write it.

    Examples:
        >>> volume(950), volume(1_234_500), volume(250_000_000)
        ('950', '123万', '2.50亿')
    """
    if shares >= 1e8:
        return f"{shares / 1e8:.2f}亿"
    return f"{shares / 1e4:.0f}万" if shares >= 1e4 else f"{shares:.0f}"


def _days(bars: Sequence[Bar]) -> Text:
    """Return the first and the last day below their candles, and one between where there is room."""
    first, last = f"{bars[0].day}", f"{bars[-1].day}"
    if len(bars) < len(first) + len(last) + 1:
        return Text(f"{first} … {last}" if len(bars) > 1 else last, "dim")
    space = len(bars) - len(first) - len(last)
    between = f"{bars[len(bars) // 2].day}"
    middle = between.center(space) if space >= len(between) + 2 else " " * space
    return Text(f"{first}{middle}{last}", "dim")
