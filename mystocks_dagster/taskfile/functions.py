"""Resolution of `task_module` and `task_function` to a function of an allowed package."""

import importlib
import importlib.machinery
import importlib.util
import inspect
import pkgutil
import re
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.excerpts import near, suggest
from mystocks_dagster.taskfile import module_cache
from mystocks_dagster.taskfile.signature import unknown_parameter

BUILT_IN = "mystocks_dagster.tasks"
#: Name of the built-in package in the system that this one replaces.
ALIAS = "app.tasks"
_DOTTED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")

_MACHINE_HINT = "A module of your own must be in the project's folder of each machine that executes its tasks."

Function = Callable[..., Any]


@dataclass(frozen=True)
class Declared:
    """The declaration of a function (`declares` in tasks/run.py, a layer above) as this layer uses it."""

    writes: tuple[str, ...] = ()
    also_writes: tuple[str, ...] = ()
    snapshot: bool = False


def declared(function: Function, params: Mapping[str, Any] | None = None) -> Declared:
    """Return the tables that a function declares to write, and whether it takes a snapshot of the present.

    Args:
        function: The function.
        params: The task's params, on which the tables of some functions depend.
    """
    tables = getattr(function, "__tables__", None)
    by_params = getattr(tables, "by_params", None)
    if by_params and isinstance(params, Mapping):
        tables = by_params(params)
    writes, also_writes = (tuple(getattr(tables, name, ())) for name in ("writes", "also_writes"))
    return Declared(writes, also_writes, bool(getattr(tables, "snapshot", False)))


class Unresolved(UnknownName):
    """The function of a task cannot be resolved.

    Attributes:
        field: The faulty field: `task_module` or `task_function`.
        hint: What is allowed, or a similar name.
    """

    remedy = "Correct `task_module` and `task_function`; a module of your own also needs its line in `task_packages`."

    def __init__(self, field: str, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.field, self.message, self.hint = field, message, hint


def resolve(module: str, function: str, packages: Sequence[str] = (), beside: Path | None = None) -> Function:
    """Return the function of a task.

    Args:
        module: As in `task_module`.
        function: As in `task_function`.
        packages: The file's `task_packages`.
        beside: The task file's folder, which is searched for packages after the Python path.

    Raises:
        Unresolved: No such module or function, the module is outside the allowed packages, or it cannot be imported.
    """
    return Functions(packages, beside).resolve(module, function)


class Functions:
    """Resolves the functions of one task file; imports each module at most once."""

    def __init__(self, packages: Sequence[str] = (), beside: Path | None = None) -> None:
        faults = {package: package_fault(package, beside) for package in packages}
        self._packages = tuple(package for package, fault in faults.items() if fault is None)
        self._faults = {package: fault for package, fault in faults.items() if fault is not None}
        self._modules: dict[str, ModuleType | Unresolved] = {}
        # The import system does not know a package that was written a moment ago.
        importlib.invalidate_caches()
        if beside and self._packages and str(beside) not in sys.path:
            # Last, so that nothing beside the task file can replace an installed module.
            sys.path.append(str(beside))

    def resolve(self, module: str, function: str) -> Function:
        """Return the function; see `resolve`."""
        if module not in self._modules:
            try:
                self._modules[module] = self._import(module)
            except Unresolved as error:
                self._modules[module] = error
        resolved = self._modules[module]
        if isinstance(resolved, Unresolved):
            raise resolved
        return self._function(resolved, function)

    def modules(self) -> list[str]:
        """Return the names of all modules that tasks may use."""
        modules = []
        for package in (BUILT_IN, *self._packages):
            spec = find(package)
            folders = (spec.submodule_search_locations if spec else None) or []
            inner = [name for _, name, _ in pkgutil.walk_packages(folders, f"{package}.", onerror=lambda _: None)]
            modules += inner or [package]
        return modules

    def _import(self, module: str) -> ModuleType:
        name = self._existing(module)
        try:
            imported = importlib.import_module(name)
        except (Exception, SystemExit) as error:  # any failure of a user's module is a problem of the file
            hint = f"Correct the module; the error is at {_place(error)}."
            message = f"{name} cannot be imported: {type(error).__name__}: {error}".rstrip(": ")
            raise Unresolved("task_module", message, hint) from error
        if not _inside(name, (BUILT_IN,)):
            module_cache.note(name)
        return imported

    def _existing(self, module: str) -> str:
        """Return the module's name in an allowed package; nothing is imported."""
        names = [BUILT_IN + module.removeprefix(ALIAS)] if _inside(module, (ALIAS,)) else []
        allowed = [name for name in (*names, module) if _inside(name, (BUILT_IN, *self._packages))]
        lacking = [fault for package, fault in self._faults.items() if _inside(module, (package,))]
        if not allowed and lacking:
            raise Unresolved("task_module", lacking[0], _MACHINE_HINT)
        if not _DOTTED.fullmatch(module) or not allowed:
            packages = ", ".join((BUILT_IN, *self._packages))
            hint = f"Allowed are modules of {packages}; add a package of your own to task_packages."
            similar = next((name for name in self.modules() if name.endswith(f".{module}")), None)
            hint = f"Did you mean {similar!r}?" if similar else hint
            raise Unresolved("task_module", f"{module!r} is outside the task packages", hint)
        for name in allowed:
            if find(name):
                return name
        raise Unresolved("task_module", f"there is no module {module!r}", self._similar(module))

    def _similar(self, module: str) -> str:
        """Suggest a module by its last part only: the common prefix would make any two names similar."""
        known = {name.rpartition(".")[2]: name for name in self.modules()}
        names = near(module.rpartition(".")[2], known)
        return f"Did you mean {known[names[0]]!r}?" if names else f"There are: {', '.join(known.values())}."

    def _function(self, module: ModuleType, name: str) -> Function:
        allowed = (BUILT_IN, *self._packages)
        function = None if name.startswith("_") else vars(module).get(name)
        if function is None:
            own = {key: value for key, value in vars(module).items() if not key.startswith("_")}
            public = [key for key, value in own.items() if _is_task(value, (module.__name__,))]
            hint = suggest(name, public, allowed="It has") or "It has no function that a task can run."
            raise Unresolved("task_function", f"{module.__name__} has no function {name!r}", hint)
        if not _is_task(function, allowed):
            hint = "Name a function that is written in a task package and takes params, run, both or neither."
            raise Unresolved("task_function", f"{module.__name__}.{name} is not a task function", hint)
        return function


def package_fault(package: str, beside: Path | None) -> str | None:
    """Return why a name is not allowed in `task_packages`; None when it is. Nothing is imported."""
    if not _DOTTED.fullmatch(package):
        return "a package is written like my_tasks or company.tasks"
    top = package.partition(".")[0]
    if top in sys.stdlib_module_names or (top == "mystocks_dagster" and not _inside(package, (BUILT_IN,))):
        return (
            f"{package} holds no tasks: it belongs to "
            f"{'this project' if top == 'mystocks_dagster' else 'Python itself'}"
        )
    if package != ALIAS and find(package, beside) is None:
        return f"the package {package!r} was found neither on the Python path nor beside the task file ({beside})"
    return None


def find(name: str, beside: Path | None = None) -> importlib.machinery.ModuleSpec | None:
    """Return where a module is, without importing it or the packages above it."""
    top, _, rest = name.partition(".")
    try:
        spec = importlib.util.find_spec(top)
        if spec is None and beside:
            spec = importlib.machinery.PathFinder.find_spec(top, [str(beside)])
        for part in rest.split(".") if rest else ():
            if spec is None or spec.submodule_search_locations is None:
                return None
            spec = importlib.machinery.PathFinder.find_spec(
                f"{spec.name}.{part}", list(spec.submodule_search_locations)
            )
    except (ImportError, ValueError):  # a module that was created by code has no spec
        return None
    return spec


def _inside(module: str, packages: Sequence[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _is_task(value: Any, packages: Sequence[str]) -> bool:
    """Return whether a value is a task function of one of the packages: it takes params, run, both or neither."""
    if not callable(value) or inspect.isclass(value) or not _inside(getattr(value, "__module__", None) or "", packages):
        return False
    try:
        return unknown_parameter(value) is None
    except (TypeError, ValueError):  # written in C, without a signature
        return False


def _place(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    user = [frame for frame in frames if "importlib" not in frame.filename]
    return f"{user[-1].filename}:{user[-1].lineno}" if user else "an unknown place"
