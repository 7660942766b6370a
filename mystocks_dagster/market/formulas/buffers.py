"""Arrays that are used again from one step and one block to the next: memory written for the first time is slow."""

from typing import Any

import numpy as np


class Buffers:
    """Arrays of a fixed length that are lent and given back; one thread at a time uses an instance."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._spare: dict[np.dtype, list[np.ndarray]] = {}
        self._lent: dict[int, np.ndarray] = {}

    def take(self, rows: int, kind: type = np.float64) -> np.ndarray:
        """Return the first `rows` elements of an array, with any values."""
        spare = self._spare.setdefault(np.dtype(kind), [])
        whole = spare.pop() if spare else np.empty(self._rows, kind)
        part = whole[:rows]
        self._lent[id(part)] = part
        return part

    def give_back(self, part: Any) -> None:
        """Take back what `take` returned, and nothing else."""
        if self._lent.get(id(part)) is part:
            del self._lent[id(part)]
            self._spare[part.dtype].append(part.base)

    def give_all_back(self) -> None:
        """Take back whatever has not been given back."""
        for part in [*self._lent.values()]:
            self.give_back(part)
