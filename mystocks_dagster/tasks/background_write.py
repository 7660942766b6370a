"""Write in a thread while the next rows are prepared: one write at a time, in order."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self


class BackgroundWrite:
    """Runs one write at a time in a thread of its own; two would hold twice the rows in memory.

    At the end of the context the last write is done, also when the block failed; an error of a write is raised by the
    next `begin` or `wait`, or there.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._pool:
            self.wait()

    def begin(self, write: Callable[[], None]) -> None:
        """Wait for the write before, and begin another."""
        self.wait()
        self._writing = self._pool.submit(write)

    def wait(self) -> None:
        """Wait until the last write is done, and raise its error if it failed."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()
