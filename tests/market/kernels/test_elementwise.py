"""What a row's own values give, with values that do not exist among them."""

import numpy as np
import pytest

from mystocks_dagster.market.kernels.elementwise import PRIMITIVES

pytestmark = pytest.mark.slow

NAN = np.nan
RUN = {primitive.name: primitive.run for primitive in PRIMITIVES}
X = np.array([1.0, 0.0, NAN, -2.0])


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("/", (X, np.array([2.0, 0.0, 1.0, 0.0])), [0.5, NAN, NAN, NAN]),
        ("/", (X, 2.0), [0.5, 0.0, NAN, -1.0]),
        ("/", (6.0, X), [6.0, NAN, NAN, -3.0]),
        ("/", (X, 0.0), [NAN] * 4),
        (">", (X, 0.5), [1, 0, 0, 0]),
        ("<=", (X, 0.5), [0, 1, 0, 1]),
        ("=", (X, 0.0), [0, 1, 0, 0]),
        ("<>", (X, 0.0), [1, 0, 0, 1]),
        ("AND", (X, X > -1), [1, 0, 0, 0]),
        ("OR", (X, X == 0), [1, 1, 0, 1]),
        ("NOT", (X,), [0, 1, 1, 0]),
        ("IF", (X, 1.0, X), [1, 0, NAN, 1]),
        ("MAX", (X, 0.5), [1, 0.5, NAN, 0.5]),
        ("MIN", (X, 0.5), [0.5, 0, NAN, -2]),
        ("ABS", (X,), [1, 0, NAN, 2]),
        ("NEGATE", (X > 0,), [-1, 0, 0, 0]),
        ("+", (X > 0, X > -5), [2, 1, 0, 1]),
        ("DRAWNULL", (X,), [NAN] * 4),
    ],
)
def test_a_value_that_does_not_exist_meets_no_condition_and_gives_no_number(name, arguments, expected):
    np.testing.assert_array_equal(np.asarray(RUN[name](*arguments), float), expected)
