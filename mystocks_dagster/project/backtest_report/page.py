"""The HTML of a report."""

import json
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

from mystocks_dagster.project.backtest_report.contents import Contents
from mystocks_dagster.texts.catalogue import translate

_STYLE = """
:root { color-scheme: light }
body { font: 15px/1.5 system-ui, "PingFang SC", "Microsoft YaHei", sans-serif; margin: 2rem auto; max-width: 60rem;
  padding: 0 1rem; color: #1d2126; background: #fff }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
td, th { padding: .2rem .7rem; border-bottom: 1px solid #e3e6ea; text-align: right }
td:first-child, th:first-child, td.text { text-align: left }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); gap: 0 2rem;
  align-items: start }
.figures table { width: 100% }
.scroll { overflow-x: auto }
.up { color: #c8332e } .down { color: #1f8a4c }
svg { width: 100%; height: auto; margin: .5rem 0 } svg text { font-size: 11px; fill: #5b636d }
svg .title { font-size: 13px } svg .grid { stroke: #e3e6ea }
"""
#: Figures: the column of `backtests`, its name, and how it is written.
_FIGURES: Sequence[Sequence[tuple[str, str, str]]] = (
    (
        ("total_return", "总收益 Total return", "signed"),
        ("annual_return", "年化收益 Annual return", "signed"),
        ("benchmark_return", "基准收益 Benchmark", "signed"),
        ("excess_return", "超额收益 Excess return", "signed"),
        ("survivors_return", "仅现存股票 Today's stocks only", "signed"),
        ("alpha", "Alpha, a year", "signed"),
        ("beta", "Beta", "number"),
        ("volatility", "波动率 Volatility, a year", "percent"),
        ("sharpe", "夏普 Sharpe", "number"),
        ("sortino", "Sortino", "number"),
        ("calmar", "Calmar", "number"),
    ),
    (
        ("max_drawdown", "最大回撤 Largest drawdown", "percent"),
        ("drawdown_peak", "回撤起点 From", "text"),
        ("drawdown_trough", "回撤最低 Lowest", "text"),
        ("drawdown_recovered", "回撤恢复 Recovered", "text"),
        ("win_rate", "胜率 Sales with a profit", "percent"),
        ("profit_factor", "盈亏比 Profit factor", "number"),
        ("turnover", "换手 Turnover, a year", "number"),
        ("exposure", "平均仓位 Exposure", "percent"),
        ("trades", "成交 Orders filled", "count"),
        ("unfilled", "未成交 Not filled", "count"),
        ("fees", "费用 Fees, CNY", "money"),
        ("dividends", "分红 Dividends, CNY", "money"),
        ("dividend_tax", "红利税 Tax on dividends, CNY", "money"),
        ("final_equity", "期末权益 Final equity, CNY", "money"),
    ),
)
#: The Chinese of column heads, sides and kinds of events; the reasons of orders are in the catalogue of texts.
_WORDS = {
    "date": "日期", "symbol": "代码", "side": "方向", "shares": "股数", "price": "价格", "fees": "费用",
    "tax": "红利税", "profit": "盈亏", "reason": "原因", "orders": "委托数", "kind": "类型", "number": "次数",
    "CNY": "元",
    "parameter": "参数", "value": "值", "buy": "买入", "sell": "卖出", "dividend": "分红", "rights": "配股",
    "rights_lapsed": "放弃配股", "delisted": "退市", "suspended": "停牌",
}  # fmt: skip
#: Trades in a report, the newest.
_TRADES = 100


def page(contents: Contents, months: dict[int, list[float | None]]) -> str:
    """Return the report.

    Args:
        contents: Its parts.
        months: Returns in percent by year: of each month, and of the year.
    """
    summary = contents.summary
    title = f"{summary['strategy']}, {summary['start_date']} – {summary['end_date']}"
    sections = [
        f"<h1>回测报告 {escape(title)}</h1>",
        f"<p>{escape(summary['backtest_id'])}, {summary['run_at']:%Y-%m-%d %H:%M}</p>",
        f'<div class="figures">{"".join(_figures(summary, group) for group in _FIGURES)}</div>',
        *(chart.svg() for chart in contents.charts),
        "<h2>月度收益 Monthly returns</h2>",
        _months(months),
        _section("成交 Trades on the price", "".join(chart.svg() for chart in contents.prices)),
        _section("未成交 Orders that were not filled", _table(("side", "reason", "orders"), _named(contents.unfilled))),
        _section("权益变动 Dividends, rights, delistings", _table(("kind", "number", "CNY"), _named(contents.events))),
        _section("最近成交 Newest trades", _trades(contents)),
        _section("参数 Parameters", _parameters(summary)),
    ]
    return (
        f'<!doctype html>\n<html lang="zh-CN"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head>\n<body>{''.join(sections)}</body></html>\n"
    )


def _both(text: str) -> str:
    """Return a word or a reason in Chinese and English; what has no Chinese stays."""
    chinese = _WORDS.get(text) or translate(text, "zh")
    return text if chinese == text else f"{chinese} {text}"


def _section(title: str, body: str) -> str:
    return f"<h2>{title}</h2>{body}" if body else ""


def _figures(summary: dict[str, Any], group: Sequence[tuple[str, str, str]]) -> str:
    rows = [
        f"<tr><td>{escape(label)}</td>{_cell(summary[name], form)}</tr>"
        for name, label, form in group
        if summary.get(name) is not None
    ]
    return f"<table>{''.join(rows)}</table>"


def _cell(value: Any, form: str) -> str:
    match form:
        case "signed":
            return f'<td class="{"up" if value >= 0 else "down"}">{value:+.2%}</td>'
        case "percent":
            return f"<td>{value:.2%}</td>"
        case "number":
            return f"<td>{value:.2f}</td>"
        case "count":
            return f"<td>{value:,}</td>"
        case "money":
            return f"<td>{value:,.2f}</td>"
    return f"<td>{escape(str(value))}</td>"


def _months(months: dict[int, list[float | None]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in ("", *range(1, 13), "年 year"))
    rows = []
    for year, values in months.items():
        cells = (
            "<td></td>" if value is None else f'<td class="{"up" if value >= 0 else "down"}">{value:+.1f}</td>'
            for value in values
        )
        rows.append(f"<tr><td>{year}</td>{''.join(cells)}</tr>")
    return f'<div class="scroll"><table><tr>{head}</tr>{"".join(rows)}</table></div><p>%</p>'


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(f'{value:,}' if isinstance(value, int | float) else str(value))}</td>"
                         for value in row) + "</tr>"
        for row in rows
    )  # fmt: skip
    if not body:
        return ""
    head = "".join(f"<th>{escape(_both(name))}</th>" for name in columns)
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _named(rows: Iterable[Sequence[Any]]) -> Iterator[list[Any]]:
    """Yield rows whose texts are sides, reasons or kinds, in both languages."""
    return ([_both(value) if isinstance(value, str) else value for value in row] for row in rows)


def _trades(contents: Contents) -> str:
    columns = ["date", "symbol", "side", "shares", "price", "fees", "tax", "profit"]
    rows = contents.trades.sort("sequence", descending=True).head(_TRADES).select(columns)
    shown = (row | {"side": _both(row["side"])} for row in rows.iter_rows(named=True))
    return _table(columns, ([("" if value is None else value) for value in row.values()] for row in shown))


def _parameters(summary: dict[str, Any]) -> str:
    values = json.loads(summary["params"]) if summary.get("params") else {}
    return _table(("parameter", "value"), ((name, json.dumps(value)) for name, value in values.items()))
