"""chart and search: a stock by code, name or pinyin, drawn from the stored bars."""

import pytest
from support.commands import Commands
from support.small_market import small_lake


@pytest.fixture
def filled(cli: Commands) -> Commands:
    """The commands over the small market's lake."""
    small_lake(cli.folder.root / "data")
    return cli


def test_a_stock_is_drawn_by_its_code_its_name_and_its_initials(filled: Commands) -> None:
    by_code = filled("chart", "600519", "--adjust", "none")
    assert by_code == filled("chart", "贵州茅台", "--adjust", "none") == filled("chart", "gzmt", "--adjust", "none")
    assert "贵州茅台 600519.SH" in by_code
    assert "\x1b" not in by_code


def test_a_pipe_whose_width_is_known_gets_no_wider_chart(filled: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, filled("chart", "600519", "--adjust", "none").splitlines())) <= 60


def test_the_heading_of_a_chart_is_in_the_language_of_the_terminal(filled: Commands) -> None:
    drawn = ("chart", "600519", "--adjust", "none")
    assert "daily · raw" in filled(*drawn).splitlines()[0]
    assert "日线 · 不复权" in filled("--lang", "zh", *drawn).splitlines()[0]


def test_the_bars_are_printed_as_json(filled: Commands) -> None:
    told = filled.json("chart", "600519", "--days", "1", "--adjust", "none")
    assert (told["symbol"], told["name"], told["period"], told["adjustment"]) == (
        "600519.SH", "贵州茅台", "daily", "none",
    )  # fmt: skip
    assert len(told["bars"]) == 1
    assert set(told["bars"][0]) == {"day", "open", "high", "low", "close", "volume"}


def test_what_matches_nothing_or_several_is_refused_with_what_to_do(filled: Commands) -> None:
    assert "Nothing matches '无此股'" in filled("chart", "无此股", code=1)
    assert filled("search", "无此股").strip() == "Nothing matches '无此股'."
    assert "The lake has no bars of 600111.SH" in filled("chart", "600111", code=1)


def test_without_a_stock_list_a_search_says_how_to_load_it(cli: Commands) -> None:
    assert "mystocks run sync_basic_stock_info" in cli("search", "无此股")


def test_in_the_demo_the_commands_that_are_named_use_the_demo(cli: Commands) -> None:
    assert "mystocks --demo run sync_basic_stock_info" in cli("--demo", "search", "无此股")
    assert "mystocks --demo run run_strategy_backtest" in cli("--demo", "backtest", "list")
    assert "mystocks --demo run sync_basic_stock_info" in cli("--demo", "--lang", "zh", "search", "无此股")


def test_in_the_demo_the_next_steps_stand_below_each_other(filled: Commands, shipped: object) -> None:
    filled.folder.root.joinpath("demo").mkdir()
    filled.folder.root.joinpath("data").rename(filled.folder.root / "demo" / "lake")
    steps = [line for line in filled("--demo").splitlines() if line.startswith("  mystocks ")]
    assert any(line.startswith("  mystocks --demo chart SYMBOL  ") for line in steps)
    assert len({len(line) - len(line[2:].partition("  ")[2].lstrip()) for line in steps}) == 1


def test_search_finds_by_code_name_and_initials(filled: Commands) -> None:
    for text in ("600519", "茅台", "gzmt"):
        first = filled.json("search", text)[0]
        assert (first["symbol"], first["name"], first["initials"]) == ("600519.SH", "贵州茅台", "gzmt")
    assert "贵州茅台" in filled("search", "茅台")
