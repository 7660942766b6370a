"""The SVG of a chart: each candle stands at its prices, in the colours that people in China read."""

from xml.etree import ElementTree

import pytest
from cli.test_candles import PRICES, bars
from support.commands import Commands
from support.small_market import small_lake

from mystocks_dagster.cli.candle_picture import svg

SVG = "{http://www.w3.org/2000/svg}"


def drawn(text: str) -> list[tuple[str, float, float]]:
    """Return each candle's colour, and the upper and lower edge of its body as prices: 5 is on top, 1 at the bottom."""
    tree = ElementTree.fromstring(text)
    lines = [float(line.get("d").split()[1].partition("H")[0]) for line in tree.findall(f"{SVG}path")]
    low, high = max(lines), min(lines)
    found = []
    for group in tree.findall(f"{SVG}g"):
        body = group.find(f"{SVG}rect")
        top, height = float(body.get("y")), float(body.get("height"))
        edges = (1 + 4 * (low - y) / (low - high) for y in (top, top + height))
        found.append((group.get("fill"), *(round(edge, 1) for edge in edges)))
    return found


def test_a_rise_a_fall_and_a_day_without_movement_stand_at_their_prices() -> None:
    # The prices of `PRICES`: 2 to 4, 5 to 3, and 4 all day, whose line is one pixel thick.
    assert drawn(svg(bars(PRICES, (8, 16, 0)), "x")) == [
        ("#c8202b", 4.0, 2.0), ("#0f7a4d", 5.0, 3.0), ("#657082", 4.0, 4.0),
    ]  # fmt: skip


def test_a_stock_that_never_moved_and_a_name_with_brackets_are_drawn() -> None:
    text = svg(bars(((4, 4, 4, 4),), (0,)), "<b> & x")
    assert ElementTree.fromstring(text).find(f"{SVG}title").text == "<b> & x"


@pytest.mark.slow
def test_a_chart_is_written_as_a_picture(cli: Commands) -> None:
    small_lake(cli.folder.root / "data")
    assert "wrote maotai.svg" in cli("chart", "gzmt", "--adjust", "none", "--svg", "maotai.svg")
    text = (cli.folder.root / "maotai.svg").read_text(encoding="utf-8")
    assert "贵州茅台 600519.SH" in text
    assert text.count('class="candle"') == len(cli.json("chart", "gzmt", "--adjust", "none")["bars"])
    assert "cannot be written" in cli("chart", "gzmt", "--adjust", "none", "--svg", "nowhere/x.svg", code=1)
