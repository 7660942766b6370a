"""All datasets by name: those of the package, and the project's own in `datasets/` beside tasks.yaml.

A file of the project replaces a shipped one of the same name. Files are read when they are needed, and again when they
have changed.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from mystocks_dagster.datasets.model import NAME
from mystocks_dagster.datasets.reader import Dataset, read_dataset
from mystocks_dagster.errors import UnknownName
from mystocks_dagster.excerpts import suggest
from mystocks_dagster.market.table import Table
from mystocks_dagster.market.tables import BUILT_IN
from mystocks_dagster.settings import dataset_folder
from mystocks_dagster.taskfile.problems import Problem, TaskFileError

SHIPPED = Path(__file__).parent

_SUFFIXES = (".yaml", ".yml")

_State = tuple[int, int]
#: File to its state and content when it was last read.
_read: dict[Path, tuple[_State, Dataset | TaskFileError]] = {}


def find(name: str) -> Dataset:
    """Return a dataset.

    Raises:
        UnknownName: There is none; the message has similar names.
        TaskFileError: Its file has problems.
    """
    path = _file(name)
    if path is None:
        where = f"Add a file {name}.yaml to {dataset_folder()}, or use another name."
        hint = suggest(name, files(), allowed="There are")
        raise UnknownName(" ".join([f"There is no dataset {name!r}.", hint, where]))
    dataset = _load(path)
    if isinstance(dataset, TaskFileError):
        raise dataset
    return dataset


def files() -> dict[str, Path]:
    """Return the file of each dataset, shipped ones first; a file of the project replaces a shipped one."""
    return {**_shipped(), **{path.stem: path for path in _own()}}


def usable() -> Iterator[Dataset]:
    """Yield the datasets whose files have no problems."""
    for path in files().values():
        if isinstance(dataset := _load(path), Dataset):
            yield dataset


def problems() -> list[Problem]:
    """Return the problems of the project's own files."""
    errors = (_load(path) for path in _own())
    return [problem for error in errors if isinstance(error, TaskFileError) for problem in error.problems]


def declared_tables() -> Mapping[str, Table]:
    """Return the tables that dataset files declare; those of faulty files are left out."""
    return {dataset.name: dataset.table for dataset in usable() if dataset.declares_table}


def declared_table(name: str) -> Table | None:
    """Return the table that the dataset file of that name declares, without reading other files."""
    path = _file(name)
    dataset = _load(path) if path else None
    return dataset.table if isinstance(dataset, Dataset) and dataset.declares_table else None


@cache
def _shipped() -> Mapping[str, Path]:
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}


def _own() -> list[Path]:
    folder = dataset_folder()
    return sorted(path for path in folder.glob("*.y*ml") if path.suffix in _SUFFIXES) if folder.is_dir() else []


def _file(name: str) -> Path | None:
    """Return the file of one dataset, without a list of all."""
    if not NAME.fullmatch(name):
        return None
    own = (dataset_folder() / f"{name}{suffix}" for suffix in _SUFFIXES)
    return next((path for path in own if path.is_file()), None) or _shipped().get(name)


def _load(path: Path) -> Dataset | TaskFileError:
    shipped = path.parent == SHIPPED
    state = (0, 0) if shipped and path in _read else _state(path)
    if path not in _read or _read[path][0] != state:
        try:
            _read[path] = (state if not shipped else (0, 0), read_dataset(path, BUILT_IN, calls=not shipped))
        except TaskFileError as error:
            _read[path] = (state, error)
    return _read[path][1]


def _state(path: Path) -> _State:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return status.st_mtime_ns, status.st_size
