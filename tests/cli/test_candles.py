"""Candles as characters, compared with charts drawn by hand."""

from datetime import date, timedelta

import pytest

from mystocks_dagster.cli.candles import Bar, draw, room

#: Rises 2 to 4, between 1 and 5; falls 5 to 3 without wicks; stays at 4 all day.
PRICES = ((2, 5, 1, 4), (5, 5, 3, 3), (4, 4, 4, 4))


def bars(prices: tuple[tuple[float, ...], ...], volumes: tuple[float, ...]) -> list[Bar]:
    return [
        Bar(day=date(2025, 1, 1) + timedelta(n), open=o, high=h, low=low, close=c, volume=volume)
        for n, ((o, h, low, c), volume) in enumerate(zip(prices, volumes, strict=True))
    ]


def test_a_body_a_wick_and_a_day_without_movement_stand_at_their_prices() -> None:
    # Six half rows between 5 and 1: 5, 4.2, 3.4, 2.6, 1.8, 1.
    lines = [line.plain.rstrip() for line in draw(bars(PRICES, (8, 16, 0)), 3)]
    assert lines == [
        "╽█╻ 5.00",
        "┃▀",
        "╿   1.80",
        " █  16",
        "▄█",
        "██",
        "2025-01-01 … 2025-01-03",
    ]


def test_a_rise_is_red_and_a_fall_is_green() -> None:
    first = draw(bars(PRICES, (1, 1, 1)), 3)[0]
    assert [str(span.style) for span in first.spans[:3]] == ["red", "green", "default"]


@pytest.mark.parametrize("volume", [0, 1, 1e10])
def test_a_stock_that_never_moved_is_drawn(volume: float) -> None:
    lines = draw(bars(((4, 4, 4, 4),), (volume,)), 4)
    assert lines[0].plain.startswith("╹ 4.00")


def test_no_line_is_wider_than_the_terminal() -> None:
    prices = tuple((10.0 + n % 7, 12.0 + n % 7, 9.0 + n % 5, 11.0 + n % 3) for n in range(200))
    for width in (40, 80, 120):
        some = bars(prices, tuple(float(n) for n in range(200)))
        fitting = some[-room(width, max(bar.high for bar in some)) :]
        assert max(line.cell_len for line in draw(fitting, 8)[:8]) <= width
