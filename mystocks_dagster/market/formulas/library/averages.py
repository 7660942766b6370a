"""均线函数: moving averages. Recursive ones begin with the first value."""

from mystocks_dagster.market.formulas.function import FIXED_N, Argument, Function, N, X, by_name, number

_WEIGHT = Argument("M", "number", may_vary=False, of="N")
#: The part of the new value; a constant outside 0 to 1 makes the average grow without bound.
_SHARE = Argument("A", low=0, high=1)
_PART = number("A", -1, 1), number("B", -1, 1)

AVERAGES = by_name("averages", (
    Function("MA", (X, N), "X 的 N 日简单移动平均", "mean of the last N values; no value before there are N"),
    Function("EMA", (X, N), "X 的 N 日指数移动平均：Y=(2*X+(N-1)*Y')/(N+1)",
             "exponential average Y=(2X+(N-1)Y')/(N+1), beginning with the first X"),
    Function("EXPMA", (X, N), "同 EMA", "the same as EMA", "EMA(X,N)"),
    Function("EXPMEMA", (X, FIXED_N), "X 的 N 日指数平滑移动平均，起始值为 N 日平均",
             "the same recursion as EMA, beginning with the mean of the first N values"),
    Function("SMA", (X, N, _WEIGHT), "X 的 N 日移动平均，M 为权重：Y=(M*X+(N-M)*Y')/N",
             "smoothed average Y=(M X+(N-M)Y')/N, beginning with the first X; M is above 0 and not above N"),
    Function("MEMA", (X, N), "X 的 N 日平滑移动平均，同 SMA(X,N,1)", "the same as SMA(X,N,1)", "SMA(X,N,1)"),
    Function("WMA", (X, FIXED_N), "X 的 N 日加权移动平均：(1*X1+2*X2+...+N*Xn)/(1+2+...+N)",
             "weighted mean of the last N values, weights 1 to N, the newest N; no value before there are N"),
    Function("DMA", (X, _SHARE), "X 的动态移动平均：Y=A*X+(1-A)*Y'，A 小于 1",
             "Y=A X+(1-A)Y', beginning with the first X; A may differ from bar to bar, a constant is from 0 to 1"),
    Function("AMA", (X, _SHARE), "自适应均线：Y=Y'+A*(X-Y')", "Y=Y'+A(X-Y'), the same as DMA", "DMA(X,A)"),
    Function("TMA", (X, *_PART), "递归移动平均：Y=A*Y'+B*X，初值为 X", "Y=A Y'+B X, beginning with the first X"),
))  # fmt: skip
