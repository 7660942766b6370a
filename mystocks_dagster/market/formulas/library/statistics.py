"""统计函数: over the last N bars; no value before there are N."""

from mystocks_dagster.market.formulas.function import FIXED_N, Function, N, X, Y, by_name

STATISTICS = by_name("statistics", (
    Function("STD", (X, N), "估算标准差（除以 N-1）", "standard deviation of the sample, divided by N-1"),
    Function("STDP", (X, N), "总体标准差（除以 N）", "standard deviation of the population, divided by N"),
    Function("VAR", (X, N), "估算样本方差（除以 N-1）", "variance of the sample, divided by N-1",
             "POW(STD(X,N),2)"),
    Function("VARP", (X, N), "总体样本方差（除以 N）", "variance of the population, divided by N",
             "POW(STDP(X,N),2)"),
    Function("DEVSQ", (X, FIXED_N), "数据偏差平方和", "sum of squared deviations from the mean",
             "POW(STDP(X,N),2)*N"),
    Function("AVEDEV", (X, FIXED_N), "平均绝对偏差", "mean of absolute deviations from the mean"),
    Function("SLOPE", (X, FIXED_N), "线性回归斜率", "slope of the regression line, per bar"),
    Function("FORCAST", (X, FIXED_N), "线性回归预测值", "value of the regression line on this bar"),
    Function("COVAR", (X, Y, FIXED_N), "X 与 Y 的协方差（除以 N）", "covariance of X and Y, divided by N"),
    Function("RELATE", (X, Y, FIXED_N), "X 与 Y 的相关系数",
             "correlation of X and Y; no value where one does not change"),
))  # fmt: skip
