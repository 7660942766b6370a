"""A task file as a Dagster component: `type: mystocks_dagster.TaskFileComponent` in the defs.yaml of any dg project.

All task files of one code location are read together, since they share some definitions; see docs/decisions/0027.
"""

import importlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from weakref import WeakKeyDictionary

import dagster as dg
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mystocks_dagster.factory.component_check import OWN_DEFS, problems_under_check
from mystocks_dagster.factory.component_scaffold import TaskFileScaffolder
from mystocks_dagster.factory.load import EXECUTOR, load_definitions, load_file, open_location, shared_definitions
from mystocks_dagster.only_job import only_job
from mystocks_dagster.plain_files import real_path
from mystocks_dagster.settings import Settings, locate
from mystocks_dagster.source_choice import source_choices, split_sources
from mystocks_dagster.sources.preference import choice_fault

if TYPE_CHECKING:
    from mystocks_dagster.factory.build import CodeLocation
    from mystocks_dagster.factory.loaded_file import LoadedFile
    from mystocks_dagster.factory.management import ManagementActions


def _known_source(name: str | None) -> str | None:
    for source in split_sources(name):
        if source not in source_choices():
            raise ValueError(f"{source!r} is not a data source; allowed: {', '.join(source_choices())}")
    if fault := choice_fault(split_sources(name)):
        raise ValueError(str(fault))
    return name


@dg.scaffold_with(TaskFileScaffolder)
class TaskFileComponent(dg.Component, dg.Model, dg.Resolvable):
    """The tasks and groups of one tasks.yaml: their assets, jobs, schedules and sensors.

    Several may live in one code location. Task ids are unique among them; files with the same lake share its tables.
    """

    tasks_file: str = Field(
        default="tasks.yaml",
        description="The task file, relative to the folder of this defs.yaml.",
        examples=["tasks.yaml"],
    )
    lake: str | None = Field(
        default=None,
        description="The folder (relative to the project's root) or URL of the tables; the folder's name is the prefix "
        "of their asset keys. Without it, the lake is the project's (MYSTOCKS_LAKE, `data`).",
        examples=["data/hongkong"],
    )
    source: Annotated[str | None, AfterValidator(_known_source)] = Field(
        default=None,
        description="The data source of all tasks of the file, or several separated by commas. Without it, "
        "MYSTOCKS_SOURCE or that of each task.",
        examples=["simulated"],
    )

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """Return the spec of this type for `dg list components` and the UI."""
        return dg.ComponentTypeSpec(
            description="The tasks and groups of one tasks.yaml.",
            produces=["asset", "asset_check", "job", "schedule", "sensor", "resource"],
        )

    @classmethod
    def get_model_cls(cls) -> type[BaseModel] | None:
        """Return the model of the attributes; under `dg check`, one that reports the problems of the task files.

        `dg check yaml` validates attributes only against their JSON schema, so the schema contains the problems.
        """
        model = super().get_model_cls()
        problems = problems_under_check()
        if model is None or not problems:
            return model

        schema: dict[str, Any] = {"allOf": [{"not": {"title": text}} for text in problems]}
        return type(model.__name__, (model,), {"model_config": ConfigDict(json_schema_extra=schema)})

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the definitions of the file; the first file of a location adds the shared definitions.

        Raises:
            TaskFileError: The file is unusable, or conflicts with another file of the location.
        """
        files = location_files(context.component_tree)
        file = files.of(self)
        own = files.location.definitions_of(file)
        if file is not files.location.files[0]:
            return own
        return dg.Definitions.merge(own, shared_definitions(files.location))


@dataclass(frozen=True, kw_only=True)
class LocationFiles:
    """The task files of a code location with their components.

    Attributes:
        location: The files.
        components: In the order of the files; in a MyStocks project the first file has none.
    """

    location: "CodeLocation"
    components: tuple[TaskFileComponent, ...]

    def of(self, component: TaskFileComponent) -> "LoadedFile":
        """Return the file of a component."""
        index = next(index for index, known in enumerate(self.components) if known is component)
        return self.location.files[index - len(self.components)]


def location_files(tree: dg.ComponentTree) -> LocationFiles:
    """Return the task files of a tree of components, read once for all of them.

    Raises:
        TaskFileError: A file is unusable, or two files conflict.
    """
    # A reload makes an equal tree, so the key is its state, which is compared by identity.
    if tree.state_tracker not in _LOADED:
        _LOADED[tree.state_tracker] = _load(tree)
    return _LOADED[tree.state_tracker]


_LOADED: WeakKeyDictionary[Any, LocationFiles] = WeakKeyDictionary()


def _load(tree: dg.ComponentTree) -> LocationFiles:
    settings = Settings.from_env()
    files = [load_file(settings)] if tree.defs_module_name == OWN_DEFS else []
    components = []
    names = {file.name for file in files}
    for folder, component in _components(tree):
        name = folder.relative_to(tree.defs_module_path).as_posix().removeprefix(".")
        name = name if name not in names else f"{name}_{len(names) + 1}"
        names.add(name)
        lake = locate(tree.project_root, component.lake) if component.lake else None
        files.append(
            load_file(
                replace(settings, task_file=real_path(folder / component.tasks_file)),
                name=name,
                lake=lake if lake != settings.lake else None,
                source=component.source,
            )
        )
        components.append(component)
    return LocationFiles(location=open_location(files), components=tuple(components))


def _components(tree: dg.ComponentTree) -> Iterator[tuple[Path, TaskFileComponent]]:
    """Yield the task file components in the tree's order, each with its folder."""
    for location, declared in tree.find_root_decl().iterate_loc_component_decl_pairs():
        kind, path = declared.component_type, getattr(location, "file_path", None)
        if path is not None and isinstance(kind, type) and issubclass(kind, TaskFileComponent):
            yield (path if path.is_dir() else path.parent), tree.load_component(location, TaskFileComponent)


def load_project(actions: "ManagementActions | None" = None) -> dg.Definitions:
    """Return the definitions of a MyStocks project: of its tasks.yaml and of `mystocks_dagster/defs/`.

    Args:
        actions: Callbacks of the management jobs; without them these jobs are left out.
    """
    if not _has_definitions(Path(__file__).parent / "defs"):
        return load_definitions(actions)
    if only_job():
        # The worker of a task or group needs only its own file.
        own = open_location([load_file(Settings.from_env())])
        if only_job() in own.jobs:
            return own.definitions_of(own.files[0])
    tree = dg.ComponentTree.from_module(importlib.import_module(OWN_DEFS), Path(__file__).parent.parent)
    location = location_files(tree).location
    with warnings.catch_warnings():
        # Dagster 1.13, to which this project is pinned, warns of preview functions that it calls itself.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        handwritten = tree.build_defs()
    return dg.Definitions.merge(
        location.definitions_of(location.files[0]),
        shared_definitions(location, actions),
        dg.Definitions(executor=EXECUTOR),
        handwritten,
    )


def _has_definitions(folder: Path) -> bool:
    """Whether the folder contains definitions."""
    own = folder / "__init__.py"
    return any(path.suffix in (".py", ".yaml", ".yml") and path != own for path in folder.rglob("*"))
