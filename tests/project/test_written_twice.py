"""Two tasks that write one column, strategy or screen in different ways: `mystocks check` names both."""

import pytest
from support.commands import Commands

INDICATORS = "mystocks_dagster.tasks.indicators, task_function: calculate_technical_indicators"
SIGNALS = "mystocks_dagster.tasks.strategy, task_function: calculate_strategy_signals"
SCREENS = "mystocks_dagster.tasks.screening, task_function: screen_market"


def told(cli: Commands, function: str, first: str, second: str) -> str:
    """Return what `mystocks check` says of two tasks of a function; it is in one line."""
    cli.folder.write(
        "tasks.yaml",
        f"""
        defaults: {{task_type: manual}}
        tasks:
          - {{task_id: mine, task_module: {function}, params: {{{first}}}}}
          - task_id: hers
            task_module: {function.replace(", ", chr(10) + " " * 12)}
            params: {{{second}}}
        """,
    )
    assert cli.json("check") == []
    return " ".join(cli("check").split())


def test_check_names_two_tasks_that_write_one_column_by_different_formulas(cli: Commands) -> None:
    text = told(
        cli,
        INDICATORS,
        'indicators: [MA, {name: MYTREND, formula: "A:MA(C,5); B:MA(C,9);"}]',
        'indicators: [MA, {name: MYTREND, formula: "A:MA(C,6); B:MA(C,9);"}]',
    )
    assert (
        "tasks.yaml:8:31: warning: hers and mine (line 4) both write mytrend_a, by different formulas or parameters: "
        "whichever of them runs computes all of it again. "
        "Give one of the two a name or label of its own, or write the same in both." in text
    )
    assert text.count("warning") == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('indicators: [{name: T, formula: "A:MA(C,5);"}]', 'indicators: [{name: T, formula: "A : MA(CLOSE, 5);"}]'),
        ("indicators: [{name: MA, windows: [5]}]", "indicators: [{name: MA, windows: [5, 250]}, MACD]"),
        ("", "symbols: [600519.SH]"),
        (
            'periods: [daily], indicators: [{name: T, formula: "A:MA(C,5);"}]',
            'periods: [weekly], indicators: [{name: T, formula: "A:MA(C,6);"}]',
        ),
    ],
)
def test_tasks_that_write_the_same_values_or_other_columns_are_no_fault(cli: Commands, first: str, second: str) -> None:
    assert "warning" not in told(cli, INDICATORS, first, second)


def test_check_names_two_tasks_that_give_one_strategy_different_parameters(cli: Commands) -> None:
    cli.folder.write("strategies/mine.py", STRATEGY)
    text = told(cli, SIGNALS, "strategies: [mine]", "strategies: [{name: mine, days: 9}, {name: mine, label: mine_2}]")
    assert (
        "tasks.yaml:8:27: warning: hers and mine (line 4) both write the signals of mine, with different parameters: "
        "whichever of them runs computes all of them again. "
        "Give one of the two a label of its own, such as label: mine_2, or write the same in both." in text
    )
    assert "warning" not in told(cli, SIGNALS, "strategies: [mine]", "strategies: [{name: mine, days: 5}]")


def test_check_names_two_tasks_that_have_different_screens_of_one_name(cli: Commands) -> None:
    first = "screens: [{name: GOLDEN, formula: 'C>MA(C,5)'}]"
    text = told(cli, SCREENS, first, first.replace("5", "6"))
    assert (
        "warning: hers and mine (line 4) both write the screen GOLDEN, by different formulas: whichever of them runs "
        "replaces what the other stored of the day. Rename one of the two screens." in text
    )
    assert "warning" not in told(cli, SCREENS, first, first)


STRATEGY = '''
    import polars as pl
    from mystocks_dagster.strategies import Rules, strategy


    @strategy(reads=["close_hfq"], lookback="days")
    def mine(days: int = 5) -> Rules:
        """Buy above the mean."""
        mean = pl.col("close_hfq").rolling_mean(days)
        return Rules(buy=pl.col("close_hfq") > mean, sell=pl.col("close_hfq") < mean)
'''
