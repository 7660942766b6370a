"""The `mystocks` command: parses the arguments, calls the project, prints; an expected error becomes one line."""

import contextlib
import io
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from mystocks_dagster.cli.help import Commands, choose_language, command_of
from mystocks_dagster.cli.printing import console, end_quietly, errors, escape, print_json, translate, unwritable
from mystocks_dagster.errors import InvalidParams, MyStocksError, SettingsError, error_json
from mystocks_dagster.gc_tuning import tune_gc
from mystocks_dagster.secret_files import read_secret_files
from mystocks_dagster.settings import Language

app = typer.Typer(
    cls=Commands,
    invoke_without_command=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    help="China A-share data and indicators, kept up to date by the tasks in tasks.yaml, which Dagster runs. "
    "To begin: mystocks bootstrap fills the lake with the market's past; mystocks doctor checks this machine.",
)


def _print_version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version

        console.print(f"mystocks {version('mystocks-dagster')}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    _version: bool = typer.Option(
        False, "--version", is_eager=True, callback=_print_version, help="Print the version and exit."
    ),
    demo: bool = typer.Option(False, "--demo", help="Use the demo's lake and its simulated market."),
    _lang: Annotated[
        Language | None,
        typer.Option("--lang", help="Language of what is printed; by default MYSTOCKS_LANG, else the terminal's."),
    ] = None,
) -> None:
    """Options of all commands; without a command, the state of the project and what to do next."""
    if demo:
        from mystocks_dagster.settings import use_demo

        use_demo()
    if context.invoked_subcommand is None:
        from mystocks_dagster.cli.overview import print_overview

        print_overview()


@cache
def register_all() -> None:
    """Add every command, once."""
    from mystocks_dagster.cli import (
        alerts,
        api,
        backfill,
        backtest,
        backup,
        bootstrap,
        calendar,
        check,
        data,
        demo,
        doctor,
        edit,
        enable,
        health,
        history,
        init,
        logs,
        market,
        mcp,
        next,
        run,
        screen,
        service,
        stop,
        strategies,
        ui,
        upgrade,
        users,
        worker,
    )

    steering = (check, run, history, logs, stop, next, enable, edit, backfill, calendar, data)
    research = (market, screen, strategies, backtest)
    servers = (ui, worker, api, mcp, service)
    care = (alerts, users, health, doctor, demo)
    for module in (init, bootstrap, *steering, *research, *care, *servers, backup, upgrade):
        module.register(app)


def main() -> None:
    """Run the command line; an expected error becomes one message and exit code 1."""
    tune_gc()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the parent process
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open until the exit
    _prepare_text()
    register_all()
    try:
        _run()
    except MyStocksError as error:
        _fail(error)
    except Exception as error:
        explained = _explain(error)
        if explained is None:
            raise
        _fail(explained)


def _run() -> None:
    try:
        sys.argv[1:] = map(_argument, sys.argv[1:])
        choose_language(sys.argv[1:])
        read_secret_files()
        command = command_of(app)
        if "--json" in sys.argv[1:]:
            sys.exit(_with_json_errors(command))
        command()
    except SystemExit:
        # By this class click, also typer's copy of it, marks a closed pipe.
        if type(sys.stdout).__name__ == "PacifyFlushWrapper":
            end_quietly()
        _flush()
        raise


def _with_json_errors(command: Callable[..., Any]) -> int:
    """Run the command line and return its exit code; a usage error is printed as JSON too."""
    try:
        return command(standalone_mode=False) or 0
    except Exception as error:
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        errors.print(f"[red]Usage:[/] {escape(message())}")
        print_json(error_json("UsageError", message()))
        return getattr(error, "exit_code", 2)


def _flush() -> None:
    """Write the buffered output now: at its exit the interpreter would print a traceback for a closed pipe.

    Raises:
        SettingsError: It cannot be written, for example on a full disk.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        end_quietly()
    except OSError as error:
        with contextlib.suppress(OSError):
            sys.stdout.close()
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open until the exit
        raise unwritable(error) from None


def _fail(error: MyStocksError) -> NoReturn:
    errors.print(f"[red]Error:[/] {escape(translate(str(error)))}")
    with contextlib.suppress(SettingsError):  # where stdout cannot be written, the line on stderr is enough
        if "--json" in sys.argv[1:]:
            print_json(error.to_json())
    with contextlib.suppress(SettingsError):  # else Python tries at its exit, and ends with another code
        _flush()
    sys.exit(error.exit_code)


def _explain(error: Exception) -> MyStocksError | None:
    """Return the explanation of an error of disk, database or text; None for any other, a defect of this package."""
    from mystocks_dagster import disk_errors
    from mystocks_dagster.settings import Settings
    from mystocks_dagster.shared import outage

    if isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed":
        near = error.object[max(0, error.start - 15) : error.start + 15]
        return InvalidParams(
            f"{near!r} contains half a character (a lone surrogate), which cannot be stored. Write it as UTF-8."
        )
    explained = None
    with contextlib.suppress(SettingsError):  # the error itself is what is shown
        explained = disk_errors.explain(error, Settings.from_env(restoring=True).dagster_home)
    return explained or outage.explain(error)


def _prepare_text() -> None:
    """Print characters that the terminal or pipe cannot encode as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _argument(text: str) -> str:
    """Return an argument decoded as UTF-8, whatever the locale.

    Raises:
        InvalidParams: Its bytes are not valid UTF-8.
    """
    try:
        return text.encode("utf-8", "surrogateescape").decode()
    except UnicodeError:
        raise InvalidParams(f"The argument {text!r} is not valid UTF-8. Type it again, or rename the file.") from None


if __name__ == "__main__":
    main()
