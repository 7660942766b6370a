"""What a task's process and its children write to stdout and stderr, passed on by whole lines."""

import sys
from collections.abc import Callable

from mystocks_dagster.execution.masking import Mask

#: Takes `stdout` or `stderr` and one or more whole lines as they were written.
OnOutput = Callable[[str, bytes], None]
#: A line that grows longer is passed on in parts: it may never end.
_LONGEST = 65_536


class Lines:
    """Cuts one stream into whole lines (a carriage return ends one too, as progress bars write it)."""

    def __init__(self, name: str, mask: Mask, pass_on: OnOutput) -> None:
        self._name, self._mask, self._pass_on = name, mask, pass_on
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        """Pass on what `chunk` completes."""
        text = self._rest + chunk
        end = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        if not end and len(text) > _LONGEST:
            end = len(text)
        self._rest = text[end:]
        self._send(text[:end])

    def flush(self) -> None:
        """Pass on what is left, without a line's end."""
        rest, self._rest = self._rest, b""
        self._send(rest)

    def _send(self, text: bytes) -> None:
        if text:
            self._pass_on(self._name, self._mask.output(text))


def to_own_streams(name: str, text: bytes) -> None:
    """Write to this process's own stdout or stderr, as they are at this moment (Dagster captures them for a step)."""
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
