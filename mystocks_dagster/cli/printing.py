"""Printing for the commands: lines for people, JSON for programs."""

import json
import os
import re
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.segment import Segment
from rich.text import Text

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.settings import Settings, terminal_language
from mystocks_dagster.tags import State
from mystocks_dagster.texts import catalogue, declarations

__all__ = [
    "coloured",
    "console",
    "declared",
    "end_quietly",
    "errors",
    "escape",
    "harmless",
    "listed",
    "print_checks",
    "print_json",
    "seconds",
    "translate",
    "unwritable",
]

#: Colour of a status, in tables and lines.
COLOURS = {
    State.SUCCESS: "green",
    State.PARTIAL_SUCCESS: "yellow",
    State.SKIPPED: "cyan",
    State.FAILED: "red",
    State.CANCELLED: "magenta",
    State.RUNNING: "blue",
    State.PENDING: "white",
    State.PAUSED: "white",
}

#: The exit code of a program that is ended by the signal SIGPIPE.
_BROKEN_PIPE = 141
#: Width of a check's mark and name, with the space behind them.
_CHECK_MARK, _CHECK_NAME = 8, 17
#: Commands that a message names, which use the lake.
_COMMAND = re.compile(r"\bmystocks (?=(run|backfill|data|backtest|screen|chart|search|strategies|stats|history)\b)")
#: Characters that steer a terminal, or that turn the direction of writing.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
#: The first of Unicode's pictures of control characters.
_PICTURES = 0x2400
#: A text with one style around all of it.
_STYLED = re.compile(r"(\[[a-z ]+\])((?:(?!\[/\]).)*)\[/\]", re.DOTALL)


def harmless(text: str) -> str:
    """Return a text in which control characters are pictures, such as ␛, or � where there is none."""

    def picture(control: re.Match[str]) -> str:
        code = ord(control[0])
        return chr(_PICTURES + code) if code < 0x20 else "\ufffd"

    return _CONTROL.sub(picture, text)


def translate(text: str) -> str:
    """Return what the program says in the language of the terminal; in English if that cannot be known.

    While the demo is used, the commands that it names use the demo too.
    """
    translated = catalogue.translate(text, language())
    return _COMMAND.sub("mystocks --demo ", translated) if _COMMAND.search(translated) and _in_demo() else translated


def _in_its_style(text: str) -> str:
    """Translate a printed text; one style around all of it is no part of a value at its beginning or end."""
    translated, styled = translate(text), _STYLED.fullmatch(text)
    return f"{styled[1]}{translate(styled[2])}[/]" if styled and translated == text else translated


def _in_demo() -> bool:
    try:
        return Settings.from_env().demo
    except SettingsError:
        return False


def listed(names: Iterable[str]) -> str:
    """Return names with the mark between them that the language of the terminal has."""
    return ("、" if language() == "zh" else ", ").join(names)


def declared(text: str) -> str:
    """Return a unit or a description of a table, an indicator or a strategy in the language of the terminal."""
    return declarations.declared(text, language())


def language() -> str:
    """Return the language of the terminal, `zh` or `en`; English if that cannot be known."""
    try:
        return terminal_language()
    except SettingsError:
        return "en"


class Output(Console):
    """A terminal or a pipe, which shows what the program says in the language of the terminal.

    A pipe that its reader has closed, as `head` does, ends the program quietly.
    """

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as a `Console`; texts are translated, but not what is printed without markup: it is data.

        Raises:
            SettingsError: It cannot be written, for example into a file on a full disk.
        """
        if options.get("markup", True):
            objects = tuple(_in_its_style(item) if isinstance(item, str) else item for item in objects)
        try:
            super().print(*objects, **options)
        except OSError as error:
            if not self.stderr:  # where errors cannot be written, nobody can be told
                raise unwritable(error) from None

    def render(self, renderable: Any, options: Any = None) -> Iterable[Segment]:
        """Return the segments of what is printed, in which data can steer no terminal: its control characters show."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=harmless(segment.text))

    def on_broken_pipe(self) -> None:
        """End the program as SIGPIPE would."""
        end_quietly()


def end_quietly() -> NoReturn:
    """End the program because the pipe is closed: without a message, with the exit code that shells expect."""
    # Buffered output has no reader either.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(_BROKEN_PIPE)


#: Both print markup: data in it must go through `escape`.
console = Output(highlight=False, soft_wrap=True, emoji=False)
errors = Output(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def print_json(value: Any) -> None:
    """Print `value` as JSON; Chinese as it is if stdout is UTF-8, else as JSON's escapes."""
    escaped = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "") != "utf8"
    text = json.dumps(value, ensure_ascii=escaped, indent=2, default=str)
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        end_quietly()
    except OSError as error:
        raise unwritable(error) from None


def unwritable(error: OSError) -> SettingsError:
    """Return the error for output that cannot be written."""
    return SettingsError(f"The output cannot be written: {error.strerror}.")


def coloured(status: str) -> Text:
    """Return the status in its colour, in the language of the terminal."""
    return Text(translate(status), COLOURS.get(status, "white"))


def seconds(value: float | None) -> str:
    """Format a duration in seconds for a table."""
    return "" if value is None else f"{value:,.2f}"


def print_checks(checks: Iterable[Any]) -> None:
    """Print the details of checks, and the remedies of those that failed."""
    for check in checks:
        colour, word = (
            ("red", State.FAILED) if not check.ok else ("yellow", "soon") if check.warning else ("green", "ok")
        )
        name = translate(check.name)
        pad = " " * max(1, _CHECK_NAME - cell_len(name))
        mark = f"[{colour}]{translate(word)}[/]" + " " * max(1, _CHECK_MARK - cell_len(translate(word)))
        console.print(f"{mark}{name}{pad}{escape(translate(check.detail))}")
        if check.remedy:
            console.print(f"{'':<{_CHECK_MARK + _CHECK_NAME}}[yellow]→ {escape(translate(check.remedy))}[/]")
