"""Problems that `dg check yaml` reports in the task files of components."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import dagster as dg
import yaml

from mystocks_dagster.factory.loaded_file import LoadedFile
from mystocks_dagster.factory.together import conflicts
from mystocks_dagster.plain_files import read_plain, real_path
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.problems import Problem, TaskFileError
from mystocks_dagster.taskfile.reader import load_task_file

#: Package of hand-written definitions in a MyStocks project, whose first task file is its own tasks.yaml.
OWN_DEFS = "mystocks_dagster.defs"
#: Names of the component in a defs.yaml: by the package that exports it, or by its module.
TYPES = ("mystocks_dagster.TaskFileComponent", "mystocks_dagster.component.TaskFileComponent")


def problems_under_check() -> list[str]:
    """Return the problems of all task files, with places, in a `dg check` process; an empty list in any other."""
    command = click.get_current_context(silent=True)
    if command is None or command.parent is None or command.parent.command.name != "check":
        return []
    try:
        tree = dg.ComponentTree.for_project(Path(command.params["target_path"]))
    except (dg.DagsterError, ImportError):  # `dg check` reports a broken project itself
        return []
    own = [Settings.from_env().task_file] if tree.defs_module_name == OWN_DEFS else []
    return [str(problem) for problem in problems_of([*own, *task_files(tree.defs_module_path)])]


def problems_of(paths: Iterable[Path]) -> list[Problem]:
    """Return the problems of the task files of one code location, including conflicts between them."""
    problems, files = [], []
    for path in paths:
        try:
            files.append(LoadedFile(version=load_task_file(path)))
            problems += files[-1].version.problems
        except TaskFileError as error:
            problems += error.problems
    return [*problems, *conflicts(files)]


def task_files(folder: Path) -> Iterator[Path]:
    """Yield the task files that the defs.yaml files below a folder name."""
    for path in sorted(folder.rglob("defs.y*ml")):
        try:
            documents = list(yaml.safe_load_all(read_plain(path)))
        except (OSError, ValueError, yaml.YAMLError):  # `dg check` reports it itself
            continue
        for document in documents:
            if isinstance(document, dict) and document.get("type") in TYPES:
                attributes = document.get("attributes")
                name = attributes.get("tasks_file") if isinstance(attributes, dict) else None
                # A template, or a value of the wrong type, is resolved only when the definitions are loaded.
                if name is None or (isinstance(name, str) and "{{" not in name):
                    yield real_path(path.parent / (name or "tasks.yaml"))
