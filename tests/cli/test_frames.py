"""The newest rows of a table: readable prices for people, all digits for programs."""

from collections.abc import Callable

import polars as pl
import pytest

from mystocks_dagster.cli.frames import print_frame


def test_prices_have_the_same_decimals_in_a_column_and_stand_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    print_frame(pl.DataFrame({"close": [9.5, 1234.5], "hfq": [10.123456, 9.0], "ratio": [0.000125, None], "n": [1, 2]}))
    assert capsys.readouterr().out.splitlines() == [
        "   close     hfq     ratio  n",
        "    9.50  10.123  0.000125  1",
        "1,234.50   9.000            2",
    ]


def test_a_narrow_terminal_shows_the_first_columns_in_lines(
    terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal(40)
    print_frame(pl.DataFrame({f"column_{n}": [n * 1000.5] for n in range(10)}))
    lines = capsys.readouterr().out.splitlines()
    assert "column_3" in lines[0]
    assert "3,001.50" in lines[1]
    assert "Not shown in 40 columns: column_9" in lines[2]
