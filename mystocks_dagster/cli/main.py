"""The `mystocks` command: parses, asks the service, prints; every expected error ends here as one line."""

import contextlib
import io
import os
import sys
from functools import cache
from pathlib import Path
from typing import NoReturn

import typer

from mystocks_dagster.cli.printing import console, end_quietly, errors, escape, print_json
from mystocks_dagster.errors import InvalidParams, MyStocksError, SettingsError, error_json
from mystocks_dagster.gc_tuning import tune_gc

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="China A-share data and indicators, kept fresh by the tasks in tasks.yaml and run by Dagster.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        console.print(f"mystocks {version('mystocks-dagster')}")
        raise typer.Exit


@app.callback()
def options(
    _shown: bool = typer.Option(
        False, "--version", is_eager=True, callback=_version, help="Print the version and end."
    ),
    demo: bool = typer.Option(False, "--demo", help="Use the demo's lake and its simulated market."),
) -> None:
    """Options of every command."""
    if demo:
        from mystocks_dagster.settings import use_demo

        use_demo()


@cache
def register_all() -> None:
    """Add every command, once."""
    from mystocks_dagster.cli import (
        alerts,
        api,
        backfill,
        calendar,
        check,
        data,
        demo,
        doctor,
        edit,
        enable,
        health,
        history,
        logs,
        next,
        run,
        service,
        stop,
        ui,
    )

    looking = (check, run, history, logs, stop, next, enable, edit, backfill, calendar, data, alerts, health, doctor)
    for module in (*looking, demo, ui, api, service):
        module.register(app)


def main() -> None:
    """Run the command line; an expected error becomes one message and exit code 1."""
    tune_gc()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who started this
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - it stays until the end
    _prepare_text()
    register_all()
    try:
        _run()
    except MyStocksError as error:
        _fail(error)
    except Exception as error:
        known = _explained(error)
        if known is None:
            raise
        _fail(known)


def _run() -> None:
    try:
        sys.argv[1:] = map(_argument, sys.argv[1:])
        if "--json" in sys.argv[1:]:
            sys.exit(_with_json_errors())
        app()
    except SystemExit:
        if (
            type(sys.stdout).__name__ == "PacifyFlushWrapper"
        ):  # so click, typer's own copy or not, ends when nobody reads on
            end_quietly()
        _flush()
        raise


def _with_json_errors() -> int:
    """Run the command line and return its exit code; wrong usage is said as JSON too."""
    try:
        return app(standalone_mode=False) or 0
    except Exception as error:
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        errors.print(f"[red]Usage:[/] {escape(message())}")
        print_json(error_json("UsageError", message()))
        return getattr(error, "exit_code", 2)


def _flush() -> None:
    """Write what is buffered while a closed pipe can still be answered; later the interpreter would complain.

    Raises:
        SettingsError: It cannot be written, as on a full disk.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        end_quietly()
    except OSError as error:
        with contextlib.suppress(OSError):
            sys.stdout.close()
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - it stays until the end
        raise SettingsError(f"The output cannot be written: {error.strerror}.") from None


def _fail(error: MyStocksError) -> NoReturn:
    errors.print(f"[red]Error:[/] {escape(str(error))}")
    if "--json" in sys.argv[1:]:
        with contextlib.suppress(SettingsError):  # where nothing can be written, the line above has to do
            print_json(error.to_json())
    sys.exit(error.exit_code)


def _explained(error: Exception) -> MyStocksError | None:
    """Return what an error of the disk or of text means; None for one that is a defect of ours."""
    from mystocks_dagster import disk_errors
    from mystocks_dagster.settings import Settings

    if isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed":
        near = error.object[max(0, error.start - 15) : error.start + 15]
        return InvalidParams(
            f"{near!r} holds half a character (a lone surrogate), which no file can keep. Write it as UTF-8."
        )
    return disk_errors.explain(error, Settings.from_env().dagster_home)


def _prepare_text() -> None:
    """Let a terminal or pipe that takes ASCII only get escapes for the other characters."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _argument(text: str) -> str:
    """Return an argument as the text that was typed, whatever the locale.

    Raises:
        InvalidParams: Its bytes are no UTF-8.
    """
    try:
        return text.encode("utf-8", "surrogateescape").decode()
    except UnicodeError:
        raise InvalidParams(f"The argument {text!r} is no text in UTF-8. Type it again, or rename the file.") from None


if __name__ == "__main__":
    main()
