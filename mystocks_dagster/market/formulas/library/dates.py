"""时间函数: from the day of the bar; for weeks and months that is the last day traded."""

from mystocks_dagster.market.formulas.bars import DAY
from mystocks_dagster.market.formulas.function import Function, X, by_name

DATES = by_name("dates", (
    Function("DATE", (), "日期，从 1900 年以来：(年-1900)*10000+月*100+日", "(year-1900)*10000+month*100+day",
             implied=(DAY,)),
    Function("YEAR", (), "年份", "year", implied=(DAY,)),
    Function("MONTH", (), "月份（1-12）", "month, 1 to 12", implied=(DAY,)),
    Function("DAY", (), "日（1-31）", "day of the month, 1 to 31", implied=(DAY,)),
    Function("WEEKDAY", (), "星期（1-5，星期天为 0）", "day of the week, 1 for Monday, 0 for Sunday", implied=(DAY,)),
    Function("DATETODAY", (X,), "1990.12.19 到日期 X 的天数",
             "days from 1990-12-19 to a day that is written as DATE is"),
    Function("DAYTODATE", (X,), "1990.12.19 第 X 天后的日期",
             "day that is X days after 1990-12-19, written as DATE is"),
))  # fmt: skip
