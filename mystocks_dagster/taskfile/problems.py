"""What is wrong with a task file: where, what was found, what is allowed, and how that is shown."""

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.taskfile.secrets import without_secrets

#: Columns of a source line that are shown around the caret; longer lines are cut.
_SHOWN = 120
#: Problems that a message prints in full; a program gets them all.
_PRINTED = 50
#: Longer names are not compared: comparing is quadratic, and nobody misspells a name of that length by a letter.
_LONGEST_NAME = 100

#: A place in the tree of a file: ("tasks", 3, "schedule", "cron_expression").
Path = tuple[str | int, ...]


class Fault(NamedTuple):
    """Something wrong at a path, before it is known where in the text that is.

    Attributes:
        at_key: The key is to blame, not its value.
        span: Offset and length, within the text value, of the part to blame.
        value: The value as the message names it: false, 1.1. Where the file writes it otherwise (no, 1.10), that is
            named.
    """

    path: Path
    message: str
    hint: str = ""
    at_key: bool = False
    span: tuple[int, int] | None = None
    value: str = ""

    def as_written(self, text: str) -> "Fault":
        """Return the fault with the value as the file has it: the remedy must keep `no` and `1.10`, not `false` and `1.1`."""
        if not self.value or text == self.value:
            return self
        hint = self.hint.replace(f'"{self.value}"', f'"{text}"') if text else ""
        message = self.message.removesuffix(f"found {self.value}") + f"found {text}" if text else self.message
        return self._replace(message=message, hint=hint)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing wrong in a task file.

    Attributes:
        file: The file, as it was named.
        line: From 1.
        column: From 1, in characters, as editors count.
        path: The place in the tree: `tasks[3].schedule.cron_expression`; empty for the file as a whole.
        message: What was found, in one line.
        hint: What is allowed, or what was probably meant; may be empty.
        width: How many characters are to blame.
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
        """Return it as one line that terminals and editors can jump to."""
        return f"{self.file}:{self.line}:{self.column}: {self.message}" + (f" {self.hint}" if self.hint else "")

    def to_json(self) -> dict[str, Any]:
        """Return what `mystocks check --json` prints."""
        return {name: getattr(self, name) for name in ("file", "line", "column", "path", "message", "hint")}

    def render(self, source_lines: Sequence[str]) -> str:
        """Return it with the source line and a caret under the part that is to blame."""
        head = f"{self.file}:{self.line}:{self.column}: {self.message}"
        tail = [f"  {self.hint}"] if self.hint else []
        if not 0 < self.line <= len(source_lines):
            return "\n".join([head, *tail])
        line, start = without_secrets(source_lines[self.line - 1]), self.column - 1
        cut = max(0, start - _SHOWN // 2)
        shown, before = line[cut : cut + _SHOWN], line[cut:start]
        blamed = line[start : min(start + self.width, cut + _SHOWN)] or " "
        number = f"{self.line:>5} | "
        # A tab must stay a tab for the caret to stand under its character.
        indent = "".join(character if character == "\t" else " " * _cells(character) for character in before)
        caret = "^" * max(1, sum(_cells(character) for character in blamed))
        return "\n".join([head, number + _printable(shown), " " * (len(number) - 2) + "| " + indent + caret, *tail])


class TaskFileError(MyStocksError, status=422, exit_code=1):
    """A task file is wrong; holds every problem that one pass found, and prints them with their source lines."""

    def __init__(self, problems: Sequence[Problem], source_lines: Sequence[str] = ()) -> None:
        self.problems = tuple(problems)
        self.source_lines = tuple(source_lines)
        super().__init__(render_all(self.problems, self.source_lines))

    def _details(self) -> dict[str, Any]:
        return {"problems": [problem.to_json() for problem in self.problems]}

    def __reduce__(self) -> tuple[Any, ...]:
        """Carry the problems along when the error crosses to another process."""
        return type(self), (self.problems, self.source_lines)


class NotEditable(TaskFileError):
    """The task file itself cannot be read, so that nothing in it can be changed; it is as it was."""

    def __init__(self, problems: Sequence[Problem], source_lines: Sequence[str] = ()) -> None:
        super().__init__(problems, source_lines)
        file = problems[0].file if problems else "the task file"
        self.args = (
            f"{self}\nNothing was changed: {file} cannot be edited from here until it is right. Mend it in an editor (mystocks check "
            f"says when it is right); if there is a {file}.bak, that is the file before the last edit by command, REST or form.",
        )


def render_all(problems: Sequence[Problem], source_lines: Sequence[str]) -> str:
    """Return all problems with their source lines, and how many there are."""
    shown = [problem.render(source_lines) for problem in problems[:_PRINTED]]
    if len(problems) > _PRINTED:
        shown.append(f"... and {len(problems) - _PRINTED} more")
    if len(problems) > 1:
        shown.append(f"{len(problems)} problems in {problems[0].file}")
    return "\n".join(shown)


def path_text(path: Path) -> str:
    """Return a path as people write it.

    Examples:
        >>> path_text(("tasks", 3, "schedule", "cron_expression"))
        'tasks[3].schedule.cron_expression'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def near(name: str, candidates: Iterable[str]) -> list[str]:
    """Return the candidates that `name` is probably a misspelling of: the best one, and others as good.

    Examples:
        >>> near("shedule", ["schedule", "params"])
        ['schedule']
    """
    if not 0 < len(name) <= _LONGEST_NAME:
        return []
    folded = {candidate.casefold(): candidate for candidate in candidates if len(candidate) <= _LONGEST_NAME}
    found = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)
    ratios = [difflib.SequenceMatcher(None, one, name.casefold()).ratio() for one in found]
    return [folded[one] for one, ratio in zip(found, ratios, strict=True) if ratio > ratios[0] - 0.05]


def suggest(name: str, candidates: Iterable[str], *, allowed: str = "Allowed") -> str:
    """Return `Did you mean 'x'?`, or the list of what is allowed when nothing is near."""
    names = list(dict.fromkeys(candidates))
    if found := near(name, names):
        return f"Did you mean {' or '.join(repr(one) for one in found)}?"
    shown = ", ".join(names[:30]) + (", ..." if len(names) > 30 else "")
    return f"{allowed}: {shown}." if names else ""


def shorten(value: object, limit: int = 60) -> str:
    """Return `value` as it is quoted in a message: text in quotes, long things cut."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "nothing"}[value]
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _cells(character: str) -> int:
    """Return how many terminal cells a character takes: Chinese ones take two, combining ones none."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _printable(line: str) -> str:
    return "".join(
        character if character.isprintable() or character == "\t" else "\N{REPLACEMENT CHARACTER}" for character in line
    )
