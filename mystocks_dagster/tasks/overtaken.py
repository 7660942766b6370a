"""Work that begins again when another task has written the same table meanwhile."""

import logging
from collections.abc import Callable
from typing import TypeVar

from mystocks_dagster.errors import Overtaken
from mystocks_dagster.lake.store import Lake

T = TypeVar("T")

#: Each time another task has finished, so a third one is rare.
_ATTEMPTS = 4


def unless_overtaken(lake: Lake, tables: tuple[str, ...], work: Callable[[], T], logger: logging.Logger) -> T:
    """Do work that writes tables from what is stored in them; begin again if another task has changed their rows.

    Raises:
        Overtaken: Others were faster each time.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            with lake.unless_overtaken(*tables):
                return work()
        except Overtaken:
            logger.info(
                "Another task has written %s meanwhile; calculating again from what it wrote", ", ".join(tables)
            )
    with lake.unless_overtaken(*tables):
        return work()
