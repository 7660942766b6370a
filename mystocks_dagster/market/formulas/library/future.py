"""未来函数: their value on a day depends on later days. For charts only; signals and screens refuse them."""

from functools import partial

from mystocks_dagster.market.formulas.function import FIXED_N, N0, Argument, Function, N, X, by_name, number, window

_ahead = partial(Function, looks_ahead=True, carried=False)
_LEVEL = Argument("K", "level", 0, 3)
_PERCENT = number("N", 0)
_WHICH = window("M", may_vary=False)

FUTURE = by_name("future", (
    _ahead("REFX", (X, N0), "N 周期后的 X", "X of N bars later"),
    _ahead("REFXV", (X, N0), "N 周期后的 X（不作平滑处理）", "the same as REFX", "REFX(X,N)"),
    _ahead("BACKSET", (X, N), "X 不为 0 时，将当前位置到 N 周期前设为 1",
           "1 on the N bars up to one on which X is true"),
    _ahead("FILTERX", (X, FIXED_N), "X 满足后，将其前 N 周期内的数据置为 0",
           "X without those true within N bars before one that is kept, from the last bar backwards"),
    _ahead("BARSNEXT", (X,), "下一次 X 不为 0 到现在的周期数", "bars until X is true again; 0 where it is"),
    _ahead("XMA", (X, FIXED_N), "X 的 N 日偏移移动平均", "mean of the N bars around this one, of fewer at both ends"),
    _ahead("CONST", (X,), "X 最后的值为常量", "X of the last bar, on all bars"),
    _ahead("CURRBARSCOUNT", (), "到最后交易日的周期数", "number of bars from this one to the last, 1 on the last",
           implied=("CLOSE",)),
    _ahead("TOTALBARSCOUNT", (), "总的周期数", "number of all bars", implied=("CLOSE",)),
    _ahead("ISLASTBAR", (), "是否为最后一个周期", "1 on the last bar", implied=("CLOSE",)),
    _ahead("BARSTATUS", (), "1 为第一根，2 为最后一根，0 为中间", "1 on the first bar, 2 on the last, 0 between",
           implied=("CLOSE",)),
    _ahead("ZIG", (_LEVEL, _PERCENT), "之字转向：价格变化超过 N% 时转向",
           "lines between the points where K (0 open, 1 high, 2 low, 3 close, or a series) turned by N %"),
    _ahead("PEAK", (_LEVEL, _PERCENT, _WHICH), "前 M 个 ZIG 波峰的值", "value of the M-th last peak of ZIG"),
    _ahead("PEAKBARS", (_LEVEL, _PERCENT, _WHICH), "前 M 个 ZIG 波峰到当前的周期数",
           "bars since the M-th last peak of ZIG"),
    _ahead("TROUGH", (_LEVEL, _PERCENT, _WHICH), "前 M 个 ZIG 波谷的值", "value of the M-th last trough of ZIG"),
    _ahead("TROUGHBARS", (_LEVEL, _PERCENT, _WHICH), "前 M 个 ZIG 波谷到当前的周期数",
           "bars since the M-th last trough of ZIG"),
))  # fmt: skip
