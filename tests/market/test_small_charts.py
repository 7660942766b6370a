"""Small charts are valid SVG whose shapes stand where their values are."""

import re
from xml.etree import ElementTree

from mystocks_dagster.market.small_charts import GREEN, HEIGHT, RED, WIDTH, bar_chart, line_chart

SVG = "{http://www.w3.org/2000/svg}"


def shapes(svg, kind):
    return list(ElementTree.fromstring(svg).iter(f"{SVG}{kind}"))


def test_a_line_goes_up_with_its_values_and_stops_at_a_gap():
    svg = line_chart("600519.SH <hfq>", {"close": [1.0, 2.0, None, 4.0, float("nan")]}, ("2024-01-01", "2024-01-05"))
    (path,) = shapes(svg, "path")
    assert re.findall("[ML]", path.attrib["d"]) == ["M", "L", "M"]
    heights = [float(y) for y in re.findall(r" ([\d.]+)", path.attrib["d"])]
    assert heights == sorted(heights, reverse=True)  # pixels count from the top
    texts = ["".join(text.itertext()) for text in shapes(svg, "text")]
    assert {"600519.SH <hfq>close", "2024-01-01", "2024-01-05", "1", "4"} == set(texts)


def test_bars_go_up_in_red_and_down_in_green_and_stay_inside():
    svg = bar_chart("signals", [3, 0], [1, 6], ("buy", "sell"), ("2024-01", "2024-02"))
    bars = [shape.attrib for shape in shapes(svg, "rect")][1:]
    assert [bar["fill"] for bar in bars] == [RED, GREEN, GREEN]
    red, green, longest = (float(bar["height"]) for bar in bars)
    assert red == 3 * green == longest / 2
    assert all(float(bar["y"]) >= 0 and float(bar["y"]) + float(bar["height"]) <= HEIGHT for bar in bars)
    assert all(float(bar["x"]) >= 0 and float(bar["x"]) + float(bar["width"]) <= WIDTH for bar in bars)


def test_nothing_to_draw_is_an_empty_chart():
    assert shapes(line_chart("none", {}, ("", "")), "path") == []
    assert len(shapes(bar_chart("none", [], [], ("a", "b"), ("", "")), "rect")) == 1
