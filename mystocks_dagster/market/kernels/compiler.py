"""Compile kernels with numba, once per machine: the compiled code is kept in numba's cache."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function at its first call, without the interpreter's lock.

    The code is kept beside the module, or, where the package is installed read-only, in the user's cache folder or
    `NUMBA_CACHE_DIR`. Where none of these can be written, each process compiles again.
    """
    try:
        return numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    except RuntimeError:  # numba found no folder to write to
        return numba.njit(nogil=True, error_model="numpy")(function)
