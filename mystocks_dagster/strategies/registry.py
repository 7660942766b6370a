"""All strategies by name: those of the package, and the project's own in `strategies/` beside tasks.yaml.

Files are read when they are needed, and again when they have changed. They are not run: only the guarded process of a
task runs a strategy.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.excerpts import suggest
from mystocks_dagster.settings import strategy_folder
from mystocks_dagster.strategies.definition import Definition
from mystocks_dagster.strategies.reader import Kind, StrategyFile, read_strategies
from mystocks_dagster.taskfile.problems import Problem

SHIPPED = Path(__file__).parent / "shipped"
#: The strategies that a task runs if it names none.
DEFAULT = ("ma_crossover", "macd_divergence", "kdj_overbought")

_State = tuple[int, int]
#: File to its state and content when it was last read.
_read: dict[tuple[Path, Kind], tuple[_State, StrategyFile]] = {}


def strategies() -> Mapping[str, Definition]:
    """Return the strategies without problems by name, shipped ones first."""
    # Of two with one name the first counts, and `problems` has the other.
    own = {definition.name: definition for definition in reversed([*_own()])}
    return {**_shipped(), **{name: definition for name, definition in own.items() if name not in _shipped()}}


def find(name: str) -> Definition:
    """Return a strategy.

    Raises:
        UnknownName: There is none; the message has similar names, or the fault of the file that declares it.
    """
    if name in (known := strategies()):
        return known[name]
    message, hint = unknown(name)
    raise UnknownName(f"{message[:1].upper()}{message[1:]}. {hint}")


def unknown(name: str) -> tuple[str, str]:
    """Return why there is no strategy of that name, and what to do."""
    for problem in problems():
        if problem.message.startswith(f"{name}: "):
            return f"the strategy {name!r} has a problem", f"See {problem}"
    return f"there is no strategy {name!r}", suggest(name, strategies(), allowed="There are")


def problems() -> list[Problem]:
    """Return the problems of the project's own files, and names that are used twice."""
    listed = [problem for file in files_in(strategy_folder(), "strategy") for problem in file.problems]
    places: dict[str, str] = {definition.name: "this package" for definition in _shipped().values()}
    for definition in _own():
        if definition.name in places:
            message = f"{definition.name}: the name is already used by {places[definition.name]}"
            hint = "Rename the function."
            listed.append(
                Problem(file=str(definition.file), line=definition.line, column=1, path="", message=message, hint=hint)
            )
        places.setdefault(definition.name, definition.place)
    return listed


def _own() -> Iterator[Definition]:
    for file in files_in(strategy_folder(), "strategy"):
        yield from file.definitions


def files_in(folder: Path, kind: Kind) -> list[StrategyFile]:
    """Return what the files of a folder declare; only changed files are read again."""
    return [_load(path, kind) for path in sorted(folder.glob("*.py"))] if folder.is_dir() else []


@cache
def _shipped() -> Mapping[str, Definition]:
    files = (read_strategies(path, shipped=True) for path in sorted(SHIPPED.glob("*.py")))
    return {definition.name: definition for file in files for definition in file.definitions}


def _load(path: Path, kind: Kind) -> StrategyFile:
    state, key = _state(path), (path, kind)
    if key not in _read or _read[key][0] != state:
        _read[key] = (state, read_strategies(path, kind=kind))
    return _read[key][1]


def _state(path: Path) -> _State:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return status.st_mtime_ns, status.st_size
