"""Charts as SVG: the scale, gaps, and fills on the price."""

import re
from datetime import date, timedelta

import pytest

from mystocks_dagster.project.backtest_report.charts import RED, Chart, Line, Mark, ticks

DAYS = [date(2025, 1, 1) + timedelta(days=n) for n in range(5)]


@pytest.mark.parametrize(
    ("low", "high", "values"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-0.31, 0.02, [-0.3, -0.2, -0.1, 0.0]),
        (980_000.0, 1_240_000.0, [1_000_000.0, 1_100_000.0, 1_200_000.0]),
    ],
)
def test_the_grid_has_round_values(low, high, values):
    assert ticks(low, high) == pytest.approx(values)


def test_a_missing_value_is_a_gap():
    chart = Chart("t", DAYS, [Line("a", [1.0, 2.0, None, 2.0, 1.0], RED)]).svg()
    (path,) = re.findall(r'd="([ML][^"]+)" fill="none"', chart)
    assert re.sub(r"[^ML]", "", path) == "MLML"


def test_a_purchase_points_up_and_a_sale_down_where_they_were_filled():
    marks = [Mark(0, 1.0, "buy", "bought"), Mark(4, 3.0, "sell", "sold")]
    chart = Chart("t", DAYS, [Line("a", [1.0, 2.0, 2.0, 2.0, 3.0], RED)], marks).svg()
    tips = {text: (float(x), float(y), way) for x, y, way, text in re.findall(
        r'd="M([\d.]+) ([\d.]+)l5 (-?9)h-10z" fill="[^"]+"><title>(\w+)</title>', chart)}  # fmt: skip
    assert tips["bought"][2] == "9"
    assert tips["sold"][2] == "-9"
    assert tips["bought"][0] < tips["sold"][0]
    assert tips["bought"][1] > tips["sold"][1]


@pytest.mark.parametrize("values", [[], [None], [5.0], [0.0, 0.0], [-1.0, -1.0]])
def test_few_or_equal_values_are_drawn_too(values):
    assert "NaN" not in Chart("t", DAYS[: len(values)], [Line("a", values, RED, fill=True)]).svg().replace("nan", "NaN")


def test_a_title_is_text_and_no_markup():
    assert "<b>" not in Chart("<b>", DAYS, []).svg()


@pytest.mark.parametrize(
    ("lowest", "labels"),
    [
        (-0.004, ["-0.4%", "-0.3%", "-0.2%", "-0.1%", "0.0%"]),
        (-0.0011, ["-0.100%", "-0.075%", "-0.050%", "-0.025%", "0.000%"]),
        (-0.31, ["-30%", "-20%", "-10%", "0%"]),
    ],
)
def test_a_small_drawdown_has_an_axis_that_can_be_read(lowest, labels):
    line = Line("drawdown", [0.0, lowest, lowest / 2, 0.0, 0.0], RED, fill=True)
    chart = Chart("t", DAYS, [line], percent=True).svg()
    assert re.findall(r'text-anchor="end">([^<]*)<', chart) == labels


def test_an_index_that_hardly_moves_has_an_axis_that_can_be_read():
    chart = Chart("t", DAYS, [Line("index", [3000.2, 3000.4, 3001.0, 3000.8, 3001.2], RED)]).svg()
    labels = re.findall(r'text-anchor="end">([^<]*)<', chart)
    assert labels[0] == "3,000.25"
    assert len(set(labels)) == len(labels)
