"""The project's settings, out of environment variables."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal

from mystocks_dagster import environment_variables as variables
from mystocks_dagster.errors import SettingsError
from mystocks_dagster.plain_files import real_path
from mystocks_dagster.source_choice import source_choices, source_names, split_sources

#: A language of texts and comments.
Language = Literal["en", "zh"]
#: In a project's folder while a restore into it is under way or was interrupted: which backup, and the command.
RESTORING = ".restoring.json"
#: Files that mark a project's root folder.
ROOT_MARKS = ("dagster.yaml", "tasks.yaml", "workspace.yaml", RESTORING)
_LANGUAGE = "MYSTOCKS_LANG"
LAKE = "data"
DEMO_LAKE = "demo/lake"
EXPORTS = "exports"
#: Read when it exists and MYSTOCKS_TRADING_CALENDAR names no other file.
TRADING_CALENDAR = "trading_calendar.csv"
#: The folder beside the task file with the project's own dataset files.
DATASETS = "datasets"
#: The folder beside the task file with the project's own formulas.
FORMULAS = "formulas"
#: The folder beside the task file with the project's own strategies.
STRATEGIES = "strategies"
#: The file beside the task file with changes of stock codes beyond those that ship with the package.
CODE_CHANGES = "code_changes.csv"
#: The folder beside the task file with the project's own indicators in Python.
INDICATORS = "indicators"
_CALENDAR_VARIABLES = ("MYSTOCKS_ROOT", "MYSTOCKS_TRADING_CALENDAR", "DAGSTER_HOME")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The project's paths and switches, read once from the environment.

    Attributes:
        root: The project's folder (holds dagster.yaml and, by default, tasks.yaml).
        task_file: The task file. `MYSTOCKS_TASKS`, default `tasks.yaml`.
        lake: Folder or URL of the tables. `MYSTOCKS_LAKE`, default `data`.
        source: Overrides every task's `data_source` when set: a name, several separated by commas, or `auto`.
            `MYSTOCKS_SOURCE`.
        upstream: A local server that replaces every upstream host. `MYSTOCKS_UPSTREAM`.
        dagster_home: Dagster's instance folder. `DAGSTER_HOME`, default `.dagster`.
        fixed_now: A fixed clock for tests and replays, with offset. `MYSTOCKS_NOW`.
        api_token: The bearer token that the REST interface requires. `MYSTOCKS_API_TOKEN`.
        exports: The only folder that the REST interface exports to and imports from. `MYSTOCKS_EXPORTS`, default
            `exports`.
        api_commands: Whether tasks that run a command may be written and started over REST. `MYSTOCKS_API_COMMANDS`,
            default no.
        caches: Further folders that `cleanup_paths` may name. `MYSTOCKS_CACHES`, separated by `:`.
        log_bytes: Bytes after which a task's log file is rotated. `MYSTOCKS_LOG_MEGABYTES`, default 10.
        log_json: Whether servers write their log lines as JSON. `MYSTOCKS_LOG_FORMAT`: text or json, default text.
        engine: Where grids of backtests are computed: the address of a Dask scheduler, `tcp://…` or `tls://…`; None for
            processes of this machine. `MYSTOCKS_ENGINE`.
        trading_calendar: A file of trading days beyond those that ship with the package. `MYSTOCKS_TRADING_CALENDAR`,
            default `trading_calendar.csv` when there is one.
        source_options: Source name to its option, for sources that have one: `MYSTOCKS_<NAME>`, such as
            `MYSTOCKS_SIMULATED`.
        source_keys: Source name to the key of the user's account, for sources that need one: `MYSTOCKS_<NAME>_KEY`.
        log_files: Number of log files of a task that are kept, including the current one. `MYSTOCKS_LOG_FILES`,
            default 5.
    """

    root: Path
    task_file: Path
    lake: str
    source: str | None
    upstream: str | None
    dagster_home: Path
    fixed_now: datetime | None
    api_token: str | None
    exports: Path
    api_commands: bool
    caches: tuple[Path, ...] = ()
    log_bytes: int = 10_000_000
    log_files: int = 5
    log_json: bool = False
    engine: str | None = None
    trading_calendar: Path | None = None
    source_options: Mapping[str, str] = field(default_factory=dict, hash=False)
    source_keys: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)

    @property
    def demo(self) -> bool:
        """Whether the demo's lake is in use; a running daemon may use another one."""
        return self.lake == str(self.root / DEMO_LAKE)

    def source_option(self, name: str) -> str:
        """Return the value of a source's variable; empty when it is not set."""
        return self.source_options.get(name, "")

    def source_key(self, name: str) -> str:
        """Return the key of a source; empty when it is not set. It belongs into no log, message or metadata."""
        return self.source_keys.get(name, "")

    @property
    def logs(self) -> Path:
        """The folder of the tasks' log files."""
        return self.dagster_home / "logs"

    def of_file(self, *, lake: str | None, source: str | None) -> "Settings":
        """Return these settings with the lake and source of one task file, where it sets them."""
        return replace(self, lake=lake or self.lake, source=source or self.source)

    @classmethod
    def from_env(cls, start: Path | None = None, *, restoring: bool = False) -> "Settings":
        """Read the environment; relative paths are relative to the project's root.

        Args:
            start: The folder at or below the root; None for the one in which the process runs.
            restoring: Whether the folder may hold an unfinished restore.

        Raises:
            SettingsError: A variable has an invalid value, or a restore into the folder is unfinished.
        """
        root = find_root(start or Path.cwd())
        if not restoring and (root / RESTORING).exists():
            raise SettingsError(_unfinished(root / RESTORING))
        home = os.environ.get("DAGSTER_HOME")
        return cls(
            root=root,
            task_file=real_path(root / (os.environ.get("MYSTOCKS_TASKS") or "tasks.yaml")),
            lake=locate(root, os.environ.get("MYSTOCKS_LAKE") or LAKE),
            source=_source(),
            upstream=os.environ.get("MYSTOCKS_UPSTREAM") or None,
            dagster_home=real_path(root / home) if home else root / ".dagster",
            fixed_now=variables.read_moment("MYSTOCKS_NOW"),
            api_token=variables.read_header("MYSTOCKS_API_TOKEN"),
            exports=real_path(root / (os.environ.get("MYSTOCKS_EXPORTS") or EXPORTS)),
            api_commands=variables.read_flag("MYSTOCKS_API_COMMANDS"),
            caches=_paths(root, "MYSTOCKS_CACHES"),
            log_bytes=round(variables.read_number("MYSTOCKS_LOG_MEGABYTES", 10, least=0.001) * 1_000_000),
            log_files=round(variables.read_number("MYSTOCKS_LOG_FILES", 5, least=1)),
            log_json=variables.read_choice("MYSTOCKS_LOG_FORMAT", ("text", "json")) == "json",
            engine=_engine(),
            trading_calendar=_trading_calendar(root),
            source_options=_source_variables("MYSTOCKS_{}"),
            source_keys=_source_variables("MYSTOCKS_{}_KEY"),
        )


def validating() -> bool:
    """Return whether `dg check defs` or `dagster definitions validate` runs: any problem is an error then."""
    return bool(os.environ.get("DAGSTER_IS_DEFS_VALIDATION_CLI"))


def use_demo() -> None:
    """Use the demo's lake and simulated market in this process and its children."""
    os.environ["MYSTOCKS_LAKE"] = str(find_root(Path.cwd()) / DEMO_LAKE)
    os.environ["MYSTOCKS_SOURCE"] = "simulated"


def demo_only() -> bool:
    """Return whether only the demo has run here: its lake exists, no lake is set, and there is no other lake."""
    root = find_root(Path.cwd())
    return not os.environ.get("MYSTOCKS_LAKE") and (root / DEMO_LAKE).exists() and not (root / LAKE).exists()


def calendar_key() -> tuple[str | None, ...]:
    """Return the values that determine the files of the trading calendar; fast enough to be called for each date."""
    return (*(os.environ.get(name) for name in _CALENDAR_VARIABLES), os.getcwd())  # noqa: PTH109 - a tenth of Path.cwd's time


def dataset_folder() -> Path:
    """Return the folder of the project's own dataset files, beside its task file; fast enough for each table."""
    return _task_folder(os.environ.get("MYSTOCKS_ROOT"), os.environ.get("MYSTOCKS_TASKS"), os.getcwd()) / DATASETS  # noqa: PTH109 - as in calendar_key


def strategy_folder() -> Path:
    """Return the folder of the project's own strategies, beside its task file."""
    return dataset_folder().parent / STRATEGIES


def indicator_folder() -> Path:
    """Return the folder of the project's own indicators in Python, beside its task file."""
    return dataset_folder().parent / INDICATORS


def formula_folder() -> Path:
    """Return the folder of the project's own formulas, beside its task file."""
    return dataset_folder().parent / FORMULAS


@lru_cache(maxsize=64)
def _task_folder(_root: str | None, tasks: str | None, folder: str) -> Path:
    return real_path(find_root(Path(folder)) / (tasks or "tasks.yaml")).parent


def terminal_language() -> Language:
    """Return the language of commands: MYSTOCKS_LANG, else the terminal's locale; English for all but Chinese.

    Raises:
        SettingsError: MYSTOCKS_LANG is neither zh nor en.
    """
    chosen = (os.environ.get(_LANGUAGE) or "").lower()
    if chosen not in ("", "zh", "en"):
        raise SettingsError(f"{_LANGUAGE} is {chosen!r}; write zh or en.")
    names = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return "zh" if (chosen or next(filter(None, names), "").lower()).startswith("zh") else "en"


def use_language(language: Language) -> None:
    """Use a language in this process and its children, whatever the terminal's locale."""
    os.environ[_LANGUAGE] = language


def environment() -> Mapping[str, str]:
    """Return all environment variables, the values of `${VAR}` in the task file."""
    return os.environ


def find_root(start: Path) -> Path:
    """Return the nearest folder at or above `start` that has a root mark, else `start` itself."""
    root = os.environ.get("MYSTOCKS_ROOT")
    if root:
        return real_path(Path(root))
    start = real_path(start)
    for folder in (start, *start.parents):
        if any((folder / mark).is_file() for mark in ROOT_MARKS):
            return folder
    return start


def _unfinished(mark: Path) -> str:
    """Return what to do about an unfinished restore; without that, what is missing yet would look damaged."""
    import json

    try:
        content = json.loads(mark.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    if isinstance(content, dict) and (command := content.get("command")):
        return f"A restore into this folder is unfinished; repeat: {command}"
    return f"A restore into {mark.parent} is unfinished; repeat `mystocks restore` with the same backup."


def _source() -> str | None:
    text = os.environ.get("MYSTOCKS_SOURCE")
    names = split_sources(text)
    if any(name not in source_choices() for name in names):
        raise SettingsError(
            f"MYSTOCKS_SOURCE is {text!r}; allowed: {', '.join(source_choices())}, or several separated by commas."
        )
    return ",".join(names) or None


def _source_variables(pattern: str) -> dict[str, str]:
    values = {name: os.environ.get(pattern.format(name.upper())) for name in source_names()}
    return {name: value for name, value in values.items() if value}


def locate(root: Path, value: str) -> str:
    """Return a lake's location: a URL unchanged, a relative folder below `root`."""
    return value if "://" in value else str(real_path(root / value))


def _paths(root: Path, variable: str) -> tuple[Path, ...]:
    names = os.environ.get(variable, "").split(os.pathsep)
    return tuple(real_path(root / name) for name in names if name)


def _trading_calendar(root: Path) -> Path | None:
    if name := os.environ.get("MYSTOCKS_TRADING_CALENDAR"):
        return real_path(root / name)
    default = root / TRADING_CALENDAR
    return default if default.exists() else None


def _engine() -> str | None:
    address = os.environ.get("MYSTOCKS_ENGINE") or None
    if address and not re.fullmatch(r"(tcp|tls)://[^/\s]+:\d+", address):
        raise SettingsError(
            f"MYSTOCKS_ENGINE is {address!r}; write the address that dask scheduler prints, like tcp://10.0.0.5:8786."
        )
    return address
