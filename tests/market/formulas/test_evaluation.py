"""Formulas as trees on the bars of several symbols."""

import numpy as np
import pytest
from support.kernels import LENGTHS, series

from mystocks_dagster.market.formulas import evaluation
from mystocks_dagster.market.formulas.evaluation import Bars, empty_state, evaluate
from mystocks_dagster.market.formulas.plan import plan
from mystocks_dagster.market.formulas.syntax import Binary, Call, Formula, Name, Number, Parameter, Statement

pytestmark = pytest.mark.slow

CLOSE, N = Name("CLOSE"), Name("N")
OFFSETS = np.concatenate([[0], np.cumsum(LENGTHS)])


def formula(*statements, parameters=()):
    return Formula(
        "TEST", parameters, tuple(Statement(name, expression, hidden) for name, expression, hidden in statements)
    )


def planned(tree, *columns, **parameters):
    return plan((tree, tuple(parameters.items()), tuple((column, column.lower()) for column in columns)))


BIAS = formula(
    ("M", Call("MA", (CLOSE, N)), True),
    ("BIAS", Binary("*", Binary("/", Binary("-", CLOSE, Name("M")), Name("M")), Number(100)), False),
    ("UP", Binary(">", CLOSE, Name("M")), False),
    parameters=(Parameter("N", 6),),
)


def bars():
    return Bars(OFFSETS, {"CLOSE": series()})


def test_a_formula_is_computed_symbol_by_symbol():
    ours = evaluate(planned(BIAS, "BIAS", "UP", N=3), bars())
    close = series()
    start, end = OFFSETS[4], OFFSETS[5]
    means = np.convolve(close[start:end], np.ones(3) / 3, "valid")
    np.testing.assert_allclose(
        ours["bias"][start + 2 : end], (close[start + 2 : end] / means - 1) * 100, rtol=1e-9, atol=1e-9
    )
    assert np.isnan(ours["bias"][start : start + 2]).all()
    apart = abs(close[start + 2 : end] - means) > 1e-9
    assert (ours["up"][start + 2 : end] == (close[start + 2 : end] > means))[apart].all()


def test_a_parameter_has_its_default():
    ours, theirs = (evaluate(planned(BIAS, "BIAS", **given), bars())["bias"] for given in ({}, {"N": 6}))
    assert ours.tobytes() == theirs.tobytes()


def test_blocks_and_pieces_change_no_bit(monkeypatch):
    steps = planned(BIAS, "BIAS", "UP")
    whole = evaluate(steps, bars())
    monkeypatch.setattr(evaluation, "BLOCK_ROWS", 100)
    monkeypatch.setattr(evaluation._blocks, "__defaults__", (100,))
    state = empty_state(steps, len(LENGTHS))
    position = np.concatenate([np.arange(length) for length in LENGTHS])
    for rows in (position < 40, position >= 40):
        counts = np.add.reduceat(np.append(rows, 0), OFFSETS[:-1]) * (np.array(LENGTHS) > 0)
        part = evaluate(steps, Bars(np.concatenate([[0], np.cumsum(counts)]), {"CLOSE": series()[rows]}), state)
        assert all(part[name].tobytes() == whole[name][rows].tobytes() for name in whole)


def test_an_output_may_be_a_number_or_a_column_of_the_bars():
    tree = formula(("A", Binary("*", Number(2), Number(3)), False), ("B", CLOSE, False))
    ours = evaluate(planned(tree, "A", "B"), bars())
    assert set(ours["a"]) == {6.0}
    assert ours["b"].tobytes() == series().tobytes()


def test_bars_that_cannot_be_written_are_computed_too():
    close = series()
    close.flags.writeable = False
    ours = evaluate(planned(BIAS, "BIAS"), Bars(OFFSETS, {"CLOSE": close}))
    assert ours["bias"].tobytes() == evaluate(planned(BIAS, "BIAS"), bars())["bias"].tobytes()
