"""Problems of a task file: place, message and remedy, and their rendering as text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.excerpts import excerpt, with_remedy
from mystocks_dagster.taskfile.secrets import without_secrets

#: Problems that a message prints in full; the exception holds them all.
_PRINTED = 50

#: A place in the tree of a file: ("tasks", 3, "schedule", "cron_expression").
Path = tuple[str | int, ...]


class Fault(NamedTuple):
    """A fault at a path of the data; its place in the text is not known yet.

    Attributes:
        at_key: The key is faulty, not its value.
        span: Offset and length of the faulty part within a text value.
        value: The value in the message, such as false or 1.1; replaced if the file writes it otherwise (no, 1.10).
    """

    path: Path
    message: str
    hint: str = ""
    at_key: bool = False
    span: tuple[int, int] | None = None
    value: str = ""

    def as_written(self, text: str) -> "Fault":
        """Return the fault with the value as written: the remedy must keep `no` and `1.10`, not `false` and `1.1`."""
        if not self.value or text == self.value:
            return self
        hint = self.hint.replace(f'"{self.value}"', f'"{text}"') if text else ""
        message = self.message.removesuffix(f"found {self.value}") + f"found {text}" if text else self.message
        return self._replace(message=message, hint=hint)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One problem of a task file, with its place.

    Attributes:
        file: The file, as the caller named it.
        line: From 1.
        column: From 1, in characters, as editors count.
        path: The place in the data: `tasks[3].schedule.cron_expression`; empty for the file as a whole.
        message: What is wrong, in one line.
        hint: What is allowed, or a similar name; may be empty.
        width: Number of faulty characters.
        owner: Id of the task or group that it belongs to; None for the rest of the file.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""
    width: int = 1
    owner: str | None = None

    def __str__(self) -> str:
        """Return one line in the form that terminals and editors can jump to."""
        return with_remedy(f"{self.file}:{self.line}:{self.column}: {self.message}", self.hint)

    def to_json(self) -> dict[str, Any]:
        """Return the fields of `mystocks check --json`."""
        return {name: getattr(self, name) for name in ("file", "line", "column", "path", "message", "hint")}

    def render(self, source_lines: Sequence[str]) -> str:
        """Return the problem with its source line and a caret under the faulty part."""
        head = f"{self.file}:{self.line}:{self.column}: {self.message}"
        tail = [f"  {self.hint}"] if self.hint else []
        if not 0 < self.line <= len(source_lines):
            return "\n".join([head, *tail])
        line = without_secrets(source_lines[self.line - 1])
        return "\n".join([head, *excerpt(line, self.line, self.column, self.width), *tail])


class TaskFileError(MyStocksError, status=422, exit_code=1):
    """A task file has problems; the message prints all of them with their source lines."""

    remedy = "Correct each line as its hint says; `mystocks check` shows when the file is valid."

    def __init__(self, problems: Sequence[Problem], source_lines: Sequence[str] = ()) -> None:
        self.problems = tuple(problems)
        self.source_lines = tuple(source_lines)
        super().__init__(render_all(self.problems, self.source_lines))

    def _details(self) -> dict[str, Any]:
        return {"problems": [problem.to_json() for problem in self.problems]}

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep the problems when the error is pickled."""
        return type(self), (self.problems, self.source_lines)


class NotEditable(TaskFileError):
    """The task file cannot be read, so it cannot be edited; it is unchanged."""

    def __init__(self, problems: Sequence[Problem], source_lines: Sequence[str] = ()) -> None:
        super().__init__(problems, source_lines)
        file = problems[0].file if problems else "the task file"
        self.args = (
            f"{self}\nNothing was changed: {file} cannot be edited by command, REST or form until it is valid. "
            f"Correct it in an editor (mystocks check shows when it is valid); if there is a {file}.bak, "
            "that is the file before the last edit by command, REST or form.",
        )


def render_all(problems: Sequence[Problem], source_lines: Sequence[str]) -> str:
    """Return all problems with their source lines, and their number."""
    parts = [problem.render(source_lines) for problem in problems[:_PRINTED]]
    if len(problems) > _PRINTED:
        parts.append(f"... and {len(problems) - _PRINTED} more")
    if len(problems) > 1:
        parts.append(f"{len(problems)} problems in {problems[0].file}")
    return "\n".join(parts)


def path_text(path: Path) -> str:
    """Return a path as people write it.

    Examples:
        >>> path_text(("tasks", 3, "schedule", "cron_expression"))
        'tasks[3].schedule.cron_expression'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def shorten(value: object, limit: int = 60) -> str:
    """Return `value` for a message: text in quotes, long values cut."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "nothing"}[value]
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    text = repr(value) if isinstance(value, str) else str(value)
    if len(text) <= limit:
        return text
    quote = text[-1] if isinstance(value, str) else ""
    return f"{text[: limit - 1 - len(quote)]}…{quote}"
