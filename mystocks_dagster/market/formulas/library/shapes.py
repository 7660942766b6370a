"""形态函数 that use no later bar."""

from mystocks_dagster.market.formulas.function import FIXED_N, Function, by_name, number

_SAR = (FIXED_N, number("S", 0, 100), number("M", 0, 100))

SHAPES = by_name("shapes", (
    Function("SAR", _SAR, "抛物转向：N 为计算周期，S 为步长（%），M 为极值（%）",
             "parabolic stop and reverse: extreme of N bars to begin with, step and largest step in percent",
             implied=("HIGH", "LOW")),
    Function("SARTURN", _SAR, "抛物转向点：向上突破为 1，向下突破为 -1",
             "1 where SAR turns to rise, -1 where it turns to fall, otherwise 0", implied=("HIGH", "LOW")),
))  # fmt: skip
