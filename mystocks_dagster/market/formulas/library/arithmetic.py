"""数学函数: computed for each bar by itself."""

from mystocks_dagster.market.formulas.function import A, Argument, B, Function, X, by_name, number

_SIX = tuple(Argument(f"X{number}") for number in range(1, 7))

ARITHMETIC = by_name("arithmetic", (
    Function("ABS", (X,), "绝对值", "absolute value"),
    Function("MAX", (A, B), "较大值", "the larger of A and B"),
    Function("MIN", (A, B), "较小值", "the smaller of A and B"),
    Function("MAX6", _SIX, "六个数中的最大值", "the largest of six",
             "MAX(MAX(MAX(X1,X2),MAX(X3,X4)),MAX(X5,X6))"),
    Function("MIN6", _SIX, "六个数中的最小值", "the smallest of six",
             "MIN(MIN(MIN(X1,X2),MIN(X3,X4)),MIN(X5,X6))"),
    Function("SQRT", (X,), "平方根", "square root; no value below 0"),
    Function("POW", (A, B), "A 的 B 次幂", "A to the power of B"),
    Function("EXP", (X,), "自然数的 X 次幂", "e to the power of X"),
    Function("LN", (X,), "自然对数", "natural logarithm; no value at or below 0"),
    Function("LOG", (X,), "以 10 为底的对数", "decimal logarithm; no value at or below 0"),
    Function("SIN", (X,), "正弦", "sine of X in radians"),
    Function("COS", (X,), "余弦", "cosine of X in radians"),
    Function("TAN", (X,), "正切", "tangent of X in radians"),
    Function("ASIN", (X,), "反正弦", "arc sine in radians; no value outside -1..1"),
    Function("ACOS", (X,), "反余弦", "arc cosine in radians; no value outside -1..1"),
    Function("ATAN", (X,), "反正切", "arc tangent in radians"),
    Function("MOD", (A, B), "A 对 B 求模", "remainder of A by B, with the sign of A; no value where B is 0"),
    Function("CEILING", (X,), "沿数值增大方向最接近的整数", "the integer at or above X"),
    Function("FLOOR", (X,), "沿数值减小方向最接近的整数", "the integer at or below X"),
    Function("INTPART", (X,), "沿绝对值减小方向最接近的整数", "X without its decimals"),
    Function("FRACPART", (X,), "小数部分", "the decimals of X, with its sign"),
    Function("ROUND", (X,), "四舍五入取整", "the nearest integer; halves away from 0"),
    Function("ROUND2", (X, number("N", 0, 8)), "四舍五入取 N 位小数", "X rounded to N decimals; halves away from 0"),
    Function("SIGN", (X,), "符号：1、0、-1", "1, 0 or -1"),
    Function("SGN", (X,), "同 SIGN", "the same as SIGN", "SIGN(X)"),
    Function("REVERSE", (X,), "相反数", "-X", "-X"),
    Function("NOT", (X,), "求逻辑非", "1 where X is 0, otherwise 0", "NOT X"),
))  # fmt: skip
