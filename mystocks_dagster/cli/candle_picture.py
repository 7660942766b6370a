"""Candles as a picture: SVG, which browsers, office programs and notebooks show, or a PNG of it."""

from collections.abc import Iterator, Sequence
from html import escape

from mystocks_dagster.cli.candles import Bar, price, volume

#: Colours as people in China read them: red is up.
_COLOURS = {"red": "#c8202b", "green": "#0f7a4d", "default": "#657082"}
_INK, _LINE = "#1c2430", "#dfe3ea"
_WIDTH, _HEIGHT, _MARGIN, _AXIS = 960, 540, 16, 72
#: Upper and lower edge of the candles and of the volume.
_CANDLES, _VOLUME = (56, 400), (424, 504)
_PRICES, _MOST_DAYS = 5, 5
#: Pixels of a PNG for each unit of the picture: sharp on a phone and in print.
_ZOOM = 2


def svg(bars: Sequence[Bar], title: str) -> str:
    """Return the picture of a chart: candles with prices at the right, volume below, and days.

    Args:
        bars: The bars, at least one, oldest first; all of them are drawn.
        title: What stands above, such as name, code and length of a bar.
    """
    scale, step = _Scale(bars), (_WIDTH - _MARGIN - _AXIS) / len(bars)
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}"'
            f' height="{_HEIGHT}" font-family="system-ui, sans-serif" font-size="13" fill="{_INK}">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
            f'<text x="{_MARGIN}" y="34" font-size="18" font-weight="600">{escape(title)}</text>',
            *_prices(scale),
            *_candles(bars, scale, step),
            *_volumes(bars, step),
            *_days(bars, step),
            "</svg>\n",
        )
    )


def png(text: str) -> bytes:
    """Return an SVG picture as a PNG of twice its size, with the fonts of this machine."""
    import resvg_py

    return bytes(resvg_py.svg_to_bytes(svg_string=text, zoom=_ZOOM))


def _prices(scale: "_Scale") -> Iterator[str]:
    for number in range(_PRICES):
        value = scale.low + (scale.high - scale.low) * number / (_PRICES - 1)
        y = scale.y(value)
        yield f'<path d="M{_MARGIN} {y:.1f}H{_WIDTH - _AXIS}" stroke="{_LINE}"/>'
        yield f'<text x="{_WIDTH - _AXIS + 8}" y="{y + 4:.1f}">{price(round(value, 2))}</text>'


def _candles(bars: Sequence[Bar], scale: "_Scale", step: float) -> Iterator[str]:
    for number, bar in enumerate(bars):
        middle, colour = _MARGIN + (number + 0.5) * step, _COLOURS[bar.colour]
        top, bottom = scale.y(max(bar.open, bar.close)), scale.y(min(bar.open, bar.close))
        yield (
            f'<g class="candle" fill="{colour}" stroke="{colour}"><title>{bar.day} {price(bar.close)}</title>'
            f'<path d="M{middle:.2f} {scale.y(bar.high):.1f}V{scale.y(bar.low):.1f}"/>'
            f'<rect x="{middle - 0.35 * step:.2f}" y="{top:.1f}" width="{0.7 * step:.2f}"'
            f' height="{max(bottom - top, 1):.1f}" stroke="none"/></g>'
        )


def _volumes(bars: Sequence[Bar], step: float) -> Iterator[str]:
    largest = max(bar.volume for bar in bars)
    top, bottom = _VOLUME
    for number, bar in enumerate(bars):
        height = (bottom - top) * bar.volume / (largest or 1)
        yield (
            f'<rect class="volume" x="{_MARGIN + (number + 0.15) * step:.2f}" y="{bottom - height:.1f}"'
            f' width="{0.7 * step:.2f}" height="{height:.1f}" fill="{_COLOURS[bar.colour]}" opacity="0.6"/>'
        )
    yield f'<text x="{_WIDTH - _AXIS + 8}" y="{top + 10}">{volume(largest)}</text>'


def _days(bars: Sequence[Bar], step: float) -> Iterator[str]:
    count = min(_MOST_DAYS, len(bars))
    for number in range(count):
        index = round(number * (len(bars) - 1) / max(count - 1, 1))
        anchor = "start" if number == 0 else "end" if number == count - 1 else "middle"
        x = _MARGIN + (index + 0.5) * step
        yield f'<text x="{x:.1f}" y="{_HEIGHT - 14}" text-anchor="{anchor}">{bars[index].day}</text>'


class _Scale:
    """From prices to heights in the picture."""

    def __init__(self, bars: Sequence[Bar]) -> None:
        self.low, self.high = min(bar.low for bar in bars), max(bar.high for bar in bars)

    def y(self, value: float) -> float:
        """Return the height of a price; a stock that never moved stands in the middle."""
        top, bottom = _CANDLES
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return bottom - (bottom - top) * share
