"""What only trusted callers may edit: where messages go, what may run, which environment variables are read.

`RULES` lists everything that untrusted callers (REST, the pages, the jobs of Dagster's UI) may not change. The rules
are checked before anything is imported or resolved.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mystocks_dagster.errors import Forbidden
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.model import Task
from mystocks_dagster.taskfile.problems import path_text
from mystocks_dagster.taskfile.reader import Version
from mystocks_dagster.taskfile.secrets import is_secret
from mystocks_dagster.taskfile.signature import params_model
from mystocks_dagster.taskfile.variables import has_variable
from mystocks_dagster.taskfile.yaml.document import Document, Raw, with_defaults
from mystocks_dagster.taskfile.yaml.tree import walk

#: Names of params that decide where something is sent. They are checked only in tasks that read variables, whose values
#: they could send elsewhere.
_DESTINATION = re.compile(
    r"(^|[_\-.\s])(urls?|uris?|hosts?|hostname|servers?|endpoints?|address(es)?|addr|webhooks?|callbacks?|prox(y|ies)|domains?|brokers?|"
    r"ports?|recipients?|receivers?|to|dsn)$|(url|uri|host|server|endpoint|webhook|proxy)s?$",
    re.IGNORECASE,
)
#: A value that is an address, whatever the name of its param.
_ADDRESS = re.compile(r"://|@|^\s*[\w-]+(\.[\w-]+)+(:\d+)?(/.*)?\s*$|:\d{2,5}\b")
#: Keys that only describe the file; an import adds them if the file has none.
_DESCRIBING = frozenset({"version", "description"})

#: Yields the changes between two documents that a rule refuses, in words.
ChangeDetector = Callable[[Document, Document], Iterator[str]]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A part of the task file that untrusted callers may not change.

    Attributes:
        key: Its name in the task file.
        why: The reason.
        changes: Yields the refused changes between two documents.
    """

    key: str
    why: str
    changes: ChangeDetector


def _head(key: str) -> ChangeDetector:
    def changes(before: Document, after: Document) -> Iterator[str]:
        if (after.head.get(key) or None) != (before.head.get(key) or None):
            yield key

    return changes


def _packages(before: Document, after: Document) -> Iterator[str]:
    old = before.head.get("task_packages") or []
    new = after.head.get("task_packages") or []
    if new != old:
        added = [str(name) for name in new if name not in old] if isinstance(new, list) else [str(new)]
        yield f"task_packages ({', '.join(added)})" if added else "task_packages"


def _other_keys(before: Document, after: Document) -> Iterator[str]:
    for key in {**before.head, **after.head}:
        has_rule = key in {rule.key for rule in RULES} | _DESCRIBING
        if not has_rule and after.head.get(key) != before.head.get(key):
            yield key


def _variables(before: Document, after: Document) -> Iterator[str]:
    for key in _DESCRIBING:
        if has_variable(after.head.get(key)) and after.head.get(key) != before.head.get(key):
            yield f"the variable in {key}"
    for raw, own, old in _entries(before, after):
        for path, text in walk(own):
            if has_variable(text) and _at(old, path) != text:
                yield f"the variable in {path_text(path)} of {raw.label}"


def _readers(before: Document, after: Document) -> Iterator[str]:
    entries = _by_id(before)
    for raw, _own, old in _entries(before, after):
        reads = any(has_variable(text) for _, text in walk(entries.get(raw.id or "", {})))
        if old and (reads or _holds_secrets(old.get("params"))):
            effective = _flattened(after, raw)
            for field in ("task_module", "task_function"):
                if effective.get(field) != old.get(field):
                    yield f"the {field} of {raw.label}"


def _destinations(before: Document, after: Document) -> Iterator[str]:
    for raw, own, old in _entries(before, after):
        effective = with_defaults(after.defaults, own) if raw.section == "tasks" else own
        if not _holds_secrets(effective.get("params")):
            continue
        for path, value in walk({"params": own.get("params")}):
            if _is_destination(path, value) and _at(old, path) != value:
                yield f"the {path_text(path)} of {raw.label}"


#: All rules. Three things are checked elsewhere, for trusted callers too or by the resolved function: tasks that run a
#: command and parameters that name files in `check_functions`, folders that a clean-up empties in `tasks.caches`.
RULES: tuple[Rule, ...] = (
    Rule(key="alerts", why="it decides where messages go", changes=_head("alerts")),
    Rule(key="task_packages", why="they decide what may run", changes=_packages),
    Rule(
        key="defaults",
        why="they are part of every task, also of those that run commands or read variables",
        changes=_head("defaults"),
    ),
    Rule(key="other keys of the file", why="their effect is unknown", changes=_other_keys),
    Rule(key="${VARIABLES}", why="they decide which environment variables are read", changes=_variables),
    Rule(key="the function of a task that reads variables", why="it decides who gets their values", changes=_readers),
    Rule(
        key="destinations in params of a task that reads variables",
        why="they decide where the values are sent",
        changes=_destinations,
    ),
)

#: The rules for importing an unchanged export, whose entries a permitted caller wrote.
FILE_RULES = tuple(rule for rule in RULES if rule.changes not in (_variables, _readers, _destinations))


def check_documents(before: Document, after: Document, rules: Sequence[Rule] = RULES) -> None:
    """Refuse an untrusted edit that a rule forbids.

    Args:
        before: The task file before the edit.
        after: The task file after the edit.
        rules: The rules to check.

    Raises:
        Forbidden: A rule forbids it; the message says which change, why, and who may make it.
    """
    for rule in rules:
        if changed := next(rule.changes(before, after), None):
            raise Forbidden(
                f"{changed} may not be written from here: {rule.why}. Edit {before.file} itself, "
                "or use `mystocks edit` or `mystocks import`."
            )


def check_import(current: Document, imported: Document, rules: Sequence[Rule] = RULES) -> None:
    """Refuse an untrusted import that a rule forbids, before it is resolved; raises as `check_documents` does."""
    packages = [
        *(_packages_of(current)),
        *(name for name in _packages_of(imported) if name not in _packages_of(current)),
    ]
    taken = {
        key: imported.head[key]
        for key in ("version", "description", "alerts")
        if key in imported.head and key not in current.head
    }
    head = {**current.head, **taken, **({"task_packages": packages} if packages else {})}
    entries = {
        section: [Raw(section, raw.index, _flattened(imported, raw), raw.first, raw.last) for raw in raws]
        for section, raws in imported.entries.items()
    }
    check_documents(current, Document(imported.file, head, entries, imported.problem), rules)


def check_functions(settings: Settings, before: Version, after: Version) -> None:
    """Refuse an untrusted edit that adds or changes a task that runs a command, or a parameter that names files.

    Raises:
        Forbidden: It does; commands are refused unless the server allows them (`MYSTOCKS_API_COMMANDS`).
    """
    entries, defaults = _by_id(before.document), before.document.defaults
    for raw in after.document.entries["tasks"]:
        name = raw.id
        if not name or (entries.get(name) == raw.data and defaults == after.document.defaults):
            continue
        if not settings.api_commands and runs_command(after, name):
            raise Forbidden(
                f"{name} runs a command on this machine, which may not be written from here. Edit tasks.yaml itself, "
                "use `mystocks edit`, or set MYSTOCKS_API_COMMANDS=yes for the server."
            )
        old, new = before.taskfile.by_id().get(name), after.taskfile.by_id().get(name)
        same = isinstance(old, Task) and isinstance(new, Task) and _function_of(old) == _function_of(new)
        if isinstance(new, Task) and (param := _file_param(after, name, new.params, old.params if same else {})):
            raise Forbidden(
                f"{param} of {name} names files of this machine, which may not be written from here. Edit tasks.yaml "
                "itself, or use `mystocks edit`."
            )


def check_start(settings: Settings, version: Version, name: str, params: Mapping[str, Any]) -> None:
    """Refuse parameters that an untrusted caller may not give to a run.

    Args:
        settings: The settings, which say whether the server allows commands (`MYSTOCKS_API_COMMANDS`).
        version: The task file.
        name: Id of the task.
        params: The parameters of the run.

    Raises:
        Forbidden: They change a command, name files, or may send the values of variables elsewhere.
    """
    if params and not settings.api_commands and runs_command(version, name):
        raise Forbidden(
            f"{name} runs a command on this machine, which may not be given other parameters from here. "
            f"Use `mystocks run {name}`, or set MYSTOCKS_API_COMMANDS=yes for the server."
        )
    task = version.taskfile.by_id().get(name)
    if isinstance(task, Task) and (param := _file_param(version, name, params, task.params)):
        raise Forbidden(
            f"{param} of {name} names files of this machine, which may not be given from here. "
            f"Use `mystocks run {name}`."
        )
    if not isinstance(task, Task) or not _holds_secrets(task.written()["params"]):
        return
    for path, value in walk({"params": dict(params)}):
        if _is_destination(path, value) and _at({"params": task.params}, path) != value:
            raise Forbidden(
                f"{name} holds secrets or reads variables, so {path_text(path)}, which may decide where they are sent, "
                f"may not be given from here. Use `mystocks run {name}`."
            )


def runs_command(version: Version, name: str) -> bool:
    """Return whether a task runs a command; of a broken task, whether it probably does."""
    from mystocks_dagster.tasks.process import run_command

    if name in version.functions:
        return version.functions[name] is run_command
    entry = {**version.document.defaults, **_by_id(version.document).get(name, {})}
    return entry.get("task_function") == run_command.__name__ or str(entry.get("task_module")).endswith(".process")


def _function_of(task: Task) -> tuple[Any, ...]:
    return task.task_module, task.task_function


def _file_param(version: Version, name: str, params: Mapping[str, Any], old: Mapping[str, Any]) -> str | None:
    """Return a parameter of a task that names files and has another value than before; an empty one names none."""
    from mystocks_dagster.tasks.param_types import params_naming_files

    function = version.functions.get(name)
    model = params_model(function) if function and params else None
    named = params_naming_files(model) if model else ()
    return next((param for param in named if params.get(param) and params[param] != old.get(param)), None)


def _entries(before: Document, after: Document) -> Iterator[tuple[Raw, Mapping[str, Any], Mapping[str, Any]]]:
    """Yield each changed entry, its own data, and its old data with the file's defaults; empty for a new entry."""
    known = {raw.id: raw for raws in before.entries.values() for raw in raws if raw.id}
    for raws in after.entries.values():
        for raw in raws:
            old = known.get(raw.id)
            if isinstance(raw.data, dict) and not (old and old.data == raw.data):
                yield raw, raw.data, _flattened(before, old) if old else {}


def _flattened(document: Document, raw: Raw) -> Any:
    is_task = raw.section == "tasks" and isinstance(raw.data, dict)
    return with_defaults(document.defaults, raw.data) if is_task else raw.data


def _by_id(document: Document) -> dict[str, dict[str, Any]]:
    return {raw.id: raw.data for raws in document.entries.values() for raw in raws if raw.id}


def _holds_secrets(params: Any) -> bool:
    """Return whether params read variables, or have a value under a key with a secret name."""
    for path, value in walk({"params": params}):
        written_out = isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != ""
        if has_variable(value) or (written_out and any(map(is_secret, path[1:]))):
            return True
    return False


def _is_destination(path: tuple[str | int, ...], value: Any) -> bool:
    """Return whether a param may decide where something is sent, by its name or because its value is an address."""
    named = any(isinstance(part, str) and _DESTINATION.search(part) for part in path[1:])
    return named or (isinstance(value, str) and _ADDRESS.search(value) is not None)


def _packages_of(document: Document) -> list[Any]:
    packages = document.head.get("task_packages")
    return packages if isinstance(packages, list) else []


def _at(data: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data
