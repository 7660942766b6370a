"""Stdout and stderr of a task's process and its children, forwarded in whole lines."""

import sys
from collections.abc import Callable

from mystocks_dagster.execution.masking import Mask

#: Receives `stdout` or `stderr`, and one or more whole lines as they were written.
OnOutput = Callable[[str, bytes], None]
#: A longer line is forwarded in parts: it may never end.
_LONGEST = 65_536


class Lines:
    """Splits one stream into whole lines; a carriage return, which progress bars write, also ends a line."""

    def __init__(self, name: str, mask: Mask, on_output: OnOutput) -> None:
        self._name, self._mask, self._on_output = name, mask, on_output
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        """Forward the lines that `chunk` completes."""
        text = self._rest + chunk
        end = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        if not end and len(text) > _LONGEST:
            end = len(text)
        self._rest = text[end:]
        self._send(text[:end])

    def flush(self) -> None:
        """Forward the rest, which has no line end."""
        rest, self._rest = self._rest, b""
        self._send(rest)

    def _send(self, text: bytes) -> None:
        if text:
            self._on_output(self._name, self._mask.output(text))


def to_own_streams(name: str, text: bytes) -> None:
    """Write to this process's current stdout or stderr (Dagster replaces them during a step)."""
    stream = getattr(sys, name)
    if stream is None:  # a process without a terminal may have none
        return
    stream.flush()
    if hasattr(stream, "buffer"):
        stream.buffer.write(text)
        stream.buffer.flush()
    else:  # a notebook's
        stream.write(text.decode("utf-8", "backslashreplace"))
        stream.flush()
