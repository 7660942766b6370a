"""逻辑与统计条件函数: 1 where something holds, otherwise 0."""

from mystocks_dagster.market.formulas.function import FIXED_N, N0, A, B, C, Function, N, X, Y, by_name, number, window

_FROM, _TO = window("A", 0, may_vary=False), window("B", 0, may_vary=False)

CONDITIONS = by_name("conditions", (
    Function("CROSS", (A, B), "A 从下方向上穿过 B 时返回 1", "1 where A rises above B, not having been above it"),
    Function("LONGCROSS", (A, B, FIXED_N), "A 在 N 周期内都小于 B，本周期从下方向上穿过 B",
             "1 where A rises above B after N bars on which it was below"),
    Function("COUNT", (X, N0), "N 周期内满足 X 条件的周期数；N=0 从第一个有效值开始",
             "on how many of the last N bars X is true; N=0: of all so far"),
    Function("EVERY", (X, N), "N 周期内一直满足 X", "1 if X was true on each of the last N bars"),
    Function("EXIST", (X, N), "N 周期内是否存在满足 X", "1 if X was true on one of the last N bars"),
    Function("EXISTR", (X, _FROM, _TO), "从前 A 日到前 B 日是否存在满足 X；A=0 从第一天开始",
             "1 if X was true on one of the bars from A before to B before; A=0: from the first bar"),
    Function("LAST", (X, _FROM, _TO), "从前 A 日到前 B 日一直满足 X；A=0 从第一天开始",
             "1 if X was true on all bars from A before to B before; A=0: from the first bar"),
    Function("NDAY", (X, Y, FIXED_N), "连续 N 周期 X>Y", "1 if X was above Y on each of N bars", "EVERY(X>Y,N)"),
    Function("UPNDAY", (X, FIXED_N), "连涨 N 个周期", "1 if X has risen on each of the last N bars"),
    Function("DOWNNDAY", (X, FIXED_N), "连跌 N 个周期", "1 if X has fallen on each of the last N bars"),
    Function("FILTER", (X, FIXED_N), "X 满足后，将其后 N 周期内的数据置为 0",
             "X without those true within N bars after one that is kept"),
    Function("TFILTER", (A, B, number("N", 0, 2)), "过滤连续出现的买卖信号：A 买入条件，B 卖出条件",
             "buy signals A and sell signals B without repetition: N=1: 1 at the first buy after a sale; N=2: 1 at the "
             "first sale after a purchase; N=0: 1 for the purchase, 2 for the sale"),
    Function("BETWEEN", (A, B, C), "A 处于 B 和 C 之间", "1 if A is between B and C or equal to one"),
    Function("RANGE", (A, B, C), "A 大于 B 同时小于 C 时返回 1", "1 if A is above B and below C"),
    Function("IF", (X, A, B), "X 不为 0 返回 A，否则返回 B", "A where X is true, otherwise B"),
    Function("IFF", (X, A, B), "同 IF", "the same as IF", "IF(X,A,B)"),
    Function("IFN", (X, A, B), "X 不为 0 返回 B，否则返回 A", "B where X is true, otherwise A", "IF(X,B,A)"),
    Function("ISVALID", (X,), "X 是否有效", "1 if X has a value"),
    Function("ISUP", (), "该周期是否收阳", "1 if the close is above the open", "CLOSE>OPEN"),
    Function("ISDOWN", (), "该周期是否收阴", "1 if the close is below the open", "CLOSE<OPEN"),
    Function("ISEQUAL", (), "该周期是否平盘", "1 if the close is the open", "CLOSE=OPEN"),
))  # fmt: skip
