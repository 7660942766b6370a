"""The language of commands: `--lang`, and the help and usage errors of typer in Chinese."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from types import MethodType
from typing import Any

import typer
from typer.core import TyperGroup

from mystocks_dagster.cli.printing import translate
from mystocks_dagster.errors import SettingsError
from mystocks_dagster.settings import Language, terminal_language, use_language

#: Titles and words that typer's help has as constants.
_TYPER_WORDS = (
    *("OPTIONS_PANEL_TITLE", "ARGUMENTS_PANEL_TITLE", "COMMANDS_PANEL_TITLE", "ERRORS_PANEL_TITLE"),
    *("DEFAULT_STRING", "REQUIRED_LONG_STRING", "RICH_HELP", "ABORTED_TEXT"),
)


class Commands(TyperGroup):
    """The commands; a usage error is in the language of the terminal."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Parse the options of all commands."""
        with _told_usage_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Parse a command's arguments, and run it."""
        with _told_usage_errors():
            return super().invoke(ctx)


def choose_language(arguments: Sequence[str]) -> None:
    """Use the language of `--lang`, which stands before the command; an invalid one is left to typer's check."""
    options = iter(arguments)
    for option in options:
        if not option.startswith("-"):
            return
        name, equals, value = option.partition("=")
        if name == "--lang":
            language: dict[str, Language] = {"zh": "zh", "en": "en"}
            if chosen := language.get(value if equals else next(options, "")):
                use_language(chosen)


def command_of(app: typer.Typer) -> Any:
    """Return the app as a command, with its help in the language of the terminal."""
    command = typer.main.get_command(app)
    english = terminal_language() == "en"
    for part in commands_of(command) if english else parts_of(command):
        part.help = in_paragraphs(part.help or "")
        if not english and hasattr(part, "format_usage"):
            part.format_usage = MethodType(_format_usage, part)
    if not english or _typer_words.cache_info().currsize:
        from typer import rich_utils

        for name, word in _typer_words().items():
            setattr(rich_utils, name, translate(word))
    return command


def _format_usage(command: Any, context: Any, formatter: Any) -> None:
    """Write the usage of a command as click does, with the word before it in the language of the terminal."""
    pieces = " ".join(command.collect_usage_pieces(context))
    formatter.write_usage(context.command_path, pieces, prefix=f"{translate('Usage:')} ")


@cache
def _typer_words() -> dict[str, str]:
    from typer import rich_utils

    return {name: getattr(rich_utils, name) for name in _TYPER_WORDS}


def commands_of(command: Any) -> Iterator[Any]:
    """Yield a command and all below it."""
    yield command
    for inner in getattr(command, "commands", {}).values():
        yield from commands_of(inner)


def parts_of(command: Any, above: Any = None) -> Iterator[Any]:
    """Yield a command, its parameters and its commands: all that has a `help`; `above` is where it is a command."""
    yield command
    # Of a command within another the settings hold, such as the names of its help option.
    with typer.Context(command, parent=above, **command.context_settings) as context:
        yield from (parameter for parameter in command.get_params(context) if getattr(parameter, "help", None))
    for inner in getattr(command, "commands", {}).values():
        yield from parts_of(inner, context)


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a help text, each in one line."""
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]


def in_paragraphs(text: str) -> str:
    """Return a help text in the language of the terminal."""
    return "\n\n".join(map(translate, paragraphs(text)))


@contextmanager
def _told_usage_errors() -> Generator[None]:
    try:
        yield
    except Exception as error:
        message = getattr(error, "format_message", None)
        if message is not None:
            with suppress(SettingsError):
                text = translate(message())
                error.format_message = lambda: text  # ty: ignore[missing-attribute]
        raise
