"""The SVG of a chart: each candle stands at its prices, in the colours that people in China read."""

import struct
import zlib
from collections import Counter
from xml.etree import ElementTree

import pytest
from cli.test_candles import PRICES, bars
from support.commands import Commands
from support.small_market import small_lake

from mystocks_dagster.cli.candle_picture import png, svg

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


def pixels(content: bytes) -> tuple[int, int, list[bytes]]:
    """Return width and height of a PNG of four bytes a pixel, and its rows, by the rules of the PNG specification."""
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    place, packed, size = 8, b"", (0, 0)
    while place < len(content):
        length, kind = struct.unpack(">I4s", content[place : place + 8])
        chunk = content[place + 8 : place + 8 + length]
        if kind == b"IHDR":
            size = struct.unpack(">II", chunk[:8])
            assert chunk[8:] == bytes((8, 6, 0, 0, 0))  # eight bits, with transparency, not interlaced
        packed += chunk if kind == b"IDAT" else b""
        place += length + 12
    rows, before, data = [], bytes(4 * size[0]), zlib.decompress(packed)
    for start in range(0, len(data), 4 * size[0] + 1):
        row = bytearray(data[start + 1 : start + 1 + 4 * size[0]])
        for i, up in enumerate(before if (rule := data[start]) else b""):
            left, corner = (row[i - 4], before[i - 4]) if i > 3 else (0, 0)
            distances = ((abs(left + up - corner - value), value) for value in (left, up, corner))
            nearest = min(distances, key=lambda pair: pair[0])[1]
            row[i] = (row[i] + (0, left, up, (left + up) // 2, nearest)[rule]) % 256
        before = bytes(row)
        rows.append(before)
    return *size, rows


def test_a_png_has_the_candles_in_their_colours() -> None:
    small = svg(bars(PRICES, (8, 16, 0)), "x").replace('width="960" height="540"', 'width="96" height="54"', 1)
    assert 'width="96"' in small
    width, height, rows = pixels(png(small))
    assert (width, height, len(rows)) == (192, 108, 108)
    counts = Counter(row[i : i + 3].hex() for row in rows for i in range(0, len(row), 4))
    assert counts["c8202b"] > 200  # the body of the rise
    assert counts["0f7a4d"] > 200
    assert counts["ffffff"] > width * height / 2


@pytest.mark.slow
def test_a_chart_is_written_as_a_picture(cli: Commands) -> None:
    small_lake(cli.folder.root / "data")
    assert "wrote maotai.svg" in cli("chart", "gzmt", "--adjust", "none", "--svg", "maotai.svg")
    text = (cli.folder.root / "maotai.svg").read_text(encoding="utf-8")
    assert "贵州茅台 600519.SH" in text
    assert text.count('class="candle"') == len(cli.json("chart", "gzmt", "--adjust", "none")["bars"])
    assert "wrote maotai.png" in cli("chart", "gzmt", "--adjust", "none", "--png", "maotai.png")
    content = (cli.folder.root / "maotai.png").read_bytes()
    assert struct.unpack(">II", content[16:24]) == (1920, 1080)
    assert "cannot be written" in cli("chart", "gzmt", "--adjust", "none", "--svg", "nowhere/x.svg", code=1)
