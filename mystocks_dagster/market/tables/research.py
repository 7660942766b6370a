"""The tables of signals and backtests."""

from mystocks_dagster.market.table import Table
from mystocks_dagster.market.tables.columns import DATE, SYMBOL, count, day, moment, number, text

SIGNALS = Table(
    name="signals",
    title="策略信号",
    about="Buy and sell signals of the strategies, known after the close",
    about_zh="各策略在收盘后给出的买卖信号",
    domain="research",
    grain="one symbol, day, strategy and side with a signal",
    key=("symbol", "date", "strategy", "side"),
    date_column="date",
    known_by=("date",),
    columns=(
        SYMBOL,
        DATE,
        text("strategy", "ma_crossover, macd_divergence or kdj_overbought"),
        text("side", "buy or sell; known after that day's close"),
        number("close", "CNY per share, raw"),
        text("detail", "the values that gave the signal"),
    ),
)

SCREENS = Table(
    name="screens",
    title="选股结果",
    about="Symbols that passed a screen on a day, with the values that made them pass",
    about_zh="每日各选股公式选出的股票及其数值",
    domain="research",
    grain="one screen, day and symbol that passed",
    key=("screen", "date", "symbol"),
    date_column="date",
    known_by=("date",),
    columns=(
        text("screen", "name of the screen"),
        DATE,
        SYMBOL,
        text("name", "short name of the stock", null=True),
        number("close", "CNY per share, raw"),
        text("values", "JSON: the values of the formula by their text in it; prices adjusted forward to the day"),
        text("period", "daily, weekly or monthly bars"),
        text("formula", "the formula as written"),
    ),
)

BACKTESTS = Table(
    name="backtests",
    title="回测汇总",
    about="Each backtest's window, return, drawdown and fees",
    about_zh="每次回测的参数、收益、回撤与费用",
    domain="research",
    grain="one backtest",
    key=("backtest_id",),
    known_by=("run_at",),
    columns=(
        text("backtest_id", "strategy, window and parameters, hashed"),
        text("strategy", "name of the strategy"),
        day("start_date", "first trading day"),
        day("end_date", "last trading day"),
        number("initial_capital", "CNY"),
        number("final_equity", "CNY"),
        number("total_return", "fraction, 0.05 is +5%"),
        number("annual_return", "fraction, 244 trading days a year", null=True),
        number("max_drawdown", "fraction, 0.2 is a fall of 20% from a peak"),
        number("sharpe", "of daily returns, no risk-free rate, 244 days", null=True),
        count("trades", "orders filled"),
        number("fees", "CNY, commission, stamp duty and transfer fee"),
        moment("run_at", "time of the backtest"),
    ),
)
BACKTEST_EQUITY = Table(
    name="backtest_equity",
    title="回测净值曲线",
    about="Each backtest's cash, holdings and equity by trading day",
    about_zh="每次回测逐日的现金、持仓与净值",
    domain="research",
    grain="one backtest and one trading day, after the close",
    key=("backtest_id", "date"),
    date_column="date",
    columns=(
        text("backtest_id", "as in backtests"),
        DATE,
        number("cash", "CNY"),
        number("holdings", "CNY, marked to the close"),
        number("equity", "CNY, cash + holdings"),
    ),
)
BACKTEST_TRADES = Table(
    name="backtest_trades",
    title="回测成交",
    about="Each backtest's filled orders",
    about_zh="每次回测的逐笔成交",
    domain="research",
    grain="one filled order",
    key=("backtest_id", "sequence"),
    date_column="date",
    columns=(
        text("backtest_id", "as in backtests"),
        count("sequence", "1, 2, 3… in order of filling"),
        DATE,
        SYMBOL,
        text("side", "buy or sell"),
        count("shares", "shares"),
        number("price", "CNY per share, raw"),
        number("fees", "CNY"),
    ),
)
