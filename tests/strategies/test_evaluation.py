"""Running strategies: what comes out, and how faults of their code are told."""

from datetime import date, timedelta

import polars as pl
import pytest

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.strategies.choices import choice_of
from mystocks_dagster.strategies.evaluation import signals_of

DAY = [date(2024, 1, 1) + timedelta(days=i) for i in range(10)]
HEAD = '@strategy(reads=["close_hfq"])\ndef own(n: int = 1) -> Rules:\n    """Own."""\n'


def rows(**closes):
    frames = [
        pl.DataFrame({"symbol": symbol, "date": DAY[: len(values)], "close_hfq": values})
        for symbol, values in closes.items()
    ]
    return pl.concat(frames).with_columns(pl.col("symbol").cast(pl.Enum(sorted(closes))))


def test_values_score_and_weight_are_those_of_the_day(write_strategies):
    write_strategies(
        HEAD + "    close = pl.col('close_hfq')\n"
        "    return Rules(buy=close > close.shift(n), sell=close < close.shift(n), entry='board',\n"
        "        values={'close': 'close_hfq', 'before': close.shift(n)},\n"
        "        score=close / close.shift(n), weight=pl.lit(0.1))\n"
    )
    signals = signals_of(choice_of("own"), rows(a=[1.0, 2.0, 1.5], b=[5.0, 6.0]))
    assert signals.drop("strategy").rows() == [
        ("a", DAY[1], "buy", "close 2.0 before 1.0", 2.0, 0.1, "board"),
        ("a", DAY[2], "sell", "close 1.5 before 2.0", 0.75, 0.1, None),
        ("b", DAY[1], "buy", "close 6.0 before 5.0", 1.2, 0.1, "board"),
    ]
    later = signals_of(choice_of("own"), rows(a=[1.0, 2.0, 1.5]), since=DAY[2])
    assert later["date"].to_list() == [DAY[2]]


def test_a_frame_of_the_market_gives_its_other_columns_as_detail(write_strategies):
    write_strategies(
        '@strategy(reads=["close_hfq"])\ndef own(market: pl.DataFrame, least: float = 1.0):\n    """Own."""\n'
        "    rank = pl.col('close_hfq').rank(descending=True).over('date')\n"
        "    rows = market.with_columns(rank=rank, score=pl.col('close_hfq')).filter(pl.col('rank') == least)\n"
        "    return rows.select('symbol', 'date', 'score', 'rank', side=pl.lit('buy'))\n"
    )
    signals = signals_of(choice_of("own"), rows(a=[1.0, 2.0], b=[5.0, 1.0]))
    assert signals.select("symbol", "date", "detail", "score", "weight").rows() == [
        ("a", DAY[1], "score 2.0 rank 1.0", 2.0, None),
        ("b", DAY[0], "score 5.0 rank 1.0", 5.0, None),
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (HEAD + "    return 1 / 0\n", "failed: ZeroDivisionError: division by zero"),
        ("import sys\n" + HEAD + "    sys.exit(3)\n", "failed: it called sys.exit(3) instead of returning"),
        (HEAD + "    return None\n", "must return Rules(buy=..., sell=...), not NoneType"),
        (
            HEAD + "    return Rules(buy=pl.col('ma5') > 1, sell=pl.lit(False))\n",
            'failed: ColumnNotFoundError: unable to find column "ma5"',
        ),
        ("raise ValueError('no')\n" + HEAD, "cannot be run: ValueError: no"),
        ("import no_such_module\n" + HEAD, "cannot be run: ModuleNotFoundError: No module named 'no_such_module'"),
        (HEAD.replace("n: int = 1", "market: pl.DataFrame") + "    return 5\n", "must return a polars frame, not int"),
        (
            HEAD.replace("n: int = 1", "market: pl.DataFrame") + "    return market.with_columns(side=pl.lit('up'))\n",
            "column side may not have 'up'",
        ),
        (
            HEAD.replace("n: int = 1", "market: pl.DataFrame")
            + "    return pl.concat([market, market]).with_columns(side=pl.lit('buy'))\n",
            "two rows of one symbol, day and side",
        ),
    ],
)
def test_a_fault_of_a_strategys_code_is_told_with_its_place(write_strategies, body, message):
    path = write_strategies(body)
    with pytest.raises(InvalidParams) as raised:
        signals_of(choice_of("own"), rows(a=[1.0, 2.0]))
    assert message in str(raised.value)
    assert str(path) in str(raised.value)


def test_a_file_may_use_another_file_of_the_folder(write_strategies):
    write_strategies("ABOVE = 1.5\n", "limits_of_mine.py")
    write_strategies(
        "from strategies.limits_of_mine import ABOVE\n" + HEAD + "    above = pl.col('close_hfq') > ABOVE\n"
        "    return Rules(buy=above, sell=~above, values=['close_hfq'])\n"
    )
    assert signals_of(choice_of("own"), rows(a=[1.0, 2.0]))["side"].to_list() == ["sell", "buy"]


WRONG = {
    "buy='close_hfq', sell=no": "in Rules, buy must be an expression that is true or false, such as "
    "pl.col('close_hfq') > 10, not 'close_hfq'",
    "buy=no, sell='close_hfq'": "in Rules, sell must be an expression that is true or false",
    "buy=None, sell=no": "not None",
    "buy=no, sell=False": "in Rules, sell must be an expression that is true or false, such as "
    "pl.col('close_hfq') > 10, not False",
    "buy=[no], sell=no": "not list",
    "buy=close, sell=no": "in Rules, buy must be true or false on each row, but is Float64",
    "buy=no, sell=pl.lit('x')": "in Rules, sell must be true or false on each row, but is String",
    "buy=no, sell=no, score='close_hfq'": "in Rules, score must be an expression of numbers",
    "buy=no, sell=no, score=5": "pl.col('amount'), or None, not 5",
    "buy=no, sell=no, weight=[0.1]": "in Rules, weight must be an expression of numbers",
    "buy=no, sell=no, weight=pl.lit('x')": "in Rules, weight must be a number on each row, but is String",
    "buy=no, sell=no, values='close_hfq'": "in Rules, values must be a list of columns",
    "buy=no, sell=no, values=None": "not None",
    "buy=no, sell=no, values=[close]": "not Expr",
    "buy=no, sell=no, values={'close': 5}": "not 5",
    "buy=no, sell=no, entry='close'": "in Rules, entry must be 'open', 'board' or None, not 'close'",
    "buy=no, sell=no, entry=['open']": "not list",
}


@pytest.mark.parametrize("trusting", [False, True])
@pytest.mark.parametrize("fields", WRONG)
def test_i_wrote_a_text_where_an_expression_belongs_and_am_told_the_field(write_strategies, fields, trusting):
    head = HEAD.replace(")\ndef", ", lookback=1)\ndef")
    code = "    close, no = pl.col('close_hfq'), pl.lit(False)\n"
    path = write_strategies(f"{head}{code}    return Rules({fields})\n")
    with pytest.raises(InvalidParams) as raised:
        signals_of(choice_of("own"), rows(a=[1.0, 2.0], b=[5.0]), trusting=trusting)
    told = str(raised.value)
    assert f"({path}:4) failed: " in told
    assert WRONG[fields] in told
    assert "AttributeError" not in told


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("side=pl.lit('buy'), date=pl.lit('today')", "its column date must hold dates (pl.Date), but holds String"),
        ("side=pl.lit('buy'), date=pl.lit(None, pl.Date)", "its column date has a row without a date"),
        ("side=pl.lit('buy'), symbol=pl.lit(600519)", "its column symbol must hold texts, but holds Int32"),
        ("side=pl.lit('buy'), score=pl.lit('x')", "its column score must hold numbers, but holds String"),
        ("side=pl.lit('buy'), weight=pl.lit([1])", "its column weight must hold numbers, but holds List"),
    ],
)
def test_a_column_of_another_kind_in_a_frame_of_the_market_is_named(write_strategies, columns, message):
    head = HEAD.replace("n: int = 1", "market: pl.DataFrame")
    write_strategies(f"{head}    return market.with_columns({columns})\n")
    with pytest.raises(InvalidParams) as raised:
        signals_of(choice_of("own"), rows(a=[1.0, 2.0]))
    assert message in str(raised.value)


def test_a_condition_that_is_never_known_gives_no_signal(write_strategies):
    write_strategies(f"{HEAD}    return Rules(buy=pl.lit(None), sell=pl.lit(None), score=pl.lit(None))\n")
    assert signals_of(choice_of("own"), rows(a=[1.0, 2.0])).is_empty()


@pytest.mark.parametrize("trusting", [False, True])
@pytest.mark.parametrize(
    ("field", "told"),
    [
        (
            "score=pl.lit(float('nan'))",
            "its score of a on 2024-01-01 is nan; where it is not a finite number, give null",
        ),
        ("score=close / 0", "its score of a on 2024-01-01 is inf; where it is not a finite number, give null: "),
        ("weight=-close / 0", "its weight of a on 2024-01-01 is -inf; where it is not a finite number, give null: "),
        ("weight=pl.lit(-0.5)", "its weight of a on 2024-01-01 is -0.5; it is the share of the equity"),
        ("weight=pl.lit(50)", "its weight of a on 2024-01-01 is 50; it is the share of the equity"),
    ],
)
def test_my_score_or_weight_is_no_number_that_can_be_stored_and_i_am_told_where(
    write_strategies, field, told, trusting
):
    head = HEAD.replace(")\ndef", ", lookback=1)\ndef")
    code = "    close = pl.col('close_hfq')\n"
    path = write_strategies(f"{head}{code}    return Rules(buy=close > 0, sell=close < 0, {field})\n")
    with pytest.raises(InvalidParams) as raised:
        signals_of(choice_of("own"), rows(a=[1.0, 2.0]), trusting=trusting)
    assert f"The strategy own ({path}:4) failed: {told}" in str(raised.value)
    write_strategies(f"{head}{code}    return Rules(buy=close < 0, sell=close < 0, {field})\n")
    assert signals_of(choice_of("own"), rows(a=[1.0, 2.0]), trusting=trusting).is_empty()


def test_a_frame_of_the_market_with_such_a_score_or_weight_is_refused_too(write_strategies):
    head = HEAD.replace("n: int = 1", "market: pl.DataFrame")
    write_strategies(f"{head}    return market.with_columns(side=pl.lit('buy'), score=pl.col('close_hfq') / 0)\n")
    with pytest.raises(InvalidParams, match=r"its score of a on 2024-01-01 is inf; .*score\.is_finite\(\)"):
        signals_of(choice_of("own"), rows(a=[1.0]))
    write_strategies(f"{head}    return market.with_columns(side=pl.lit('buy'), weight=1.5)\n")
    with pytest.raises(InvalidParams, match=r"its weight of a on 2024-01-01 is 1\.5; it is the share"):
        signals_of(choice_of("own"), rows(a=[1.0]))


def test_weights_that_add_up_to_all_may_end_in_another_last_digit(write_strategies):
    write_strategies(
        f"{HEAD}    return Rules(buy=pl.lit(True), sell=pl.lit(False), weight=pl.lit(1.0000000000000002))\n"
    )
    assert signals_of(choice_of("own"), rows(a=[1.0]))["weight"].to_list() == [1.0]
