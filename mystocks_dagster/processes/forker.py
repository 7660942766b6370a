"""A forker: a process that a server forks from itself before it has threads, and that forks others for it later on."""

import importlib
import os
import socket
from dataclasses import dataclass

from mystocks_dagster.processes.fork import Fork, fork

#: `module:function` that the forker of runs executes.
OF_RUNS = "mystocks_dagster.factory.forking:serve"


@dataclass(frozen=True)
class Forker:
    """The forker of this process, which ends when the line is closed.

    Attributes:
        process: Its process.
        line: This process's end of a line to it.
    """

    process: Fork
    line: socket.socket


_kept: list[Forker] = []


def keep_forker(entry: str, title: str) -> Forker:
    """Fork the forker of this process, which has no threads yet, and keep it for `take_forker`.

    Args:
        entry: `module:function` that it executes with its end of the line.
        title: What `ps` shows behind `mystocks:`.
    """
    line, far = socket.socketpair()
    module, _, function = entry.partition(":")

    def serve() -> None:
        getattr(importlib.import_module(module), function)(far)

    with far:
        forker = Forker(fork(serve, title, keep={far.fileno()}), line)
    _kept.append(forker)
    return forker


def take_forker() -> Forker | None:
    """Return the forker that was kept, to its one user; None if there is none."""
    return _kept.pop() if _kept else None


def _forget_in_forked_copy() -> None:
    _kept.clear()


os.register_at_fork(after_in_child=_forget_in_forked_copy)
