"""Tuning of polars' allocator for processes that make and drop large tables again and again."""

import os

#: jemalloc, which polars contains, reads this variable when polars is imported.
_VARIABLE = "_RJEM_MALLOC_CONF"
#: polars' own setting gives memory back after half a second. A load takes the same memory again for each year, and the
#: system then clears every page of it: a tenth of the whole load.
_SETTINGS = "dirty_decay_ms:10000,muzzy_decay_ms:10000"


def keep_memory() -> None:
    """Keep freed memory for ten seconds; call it before polars is imported. A setting of the user's wins."""
    os.environ.setdefault(_VARIABLE, _SETTINGS)
