"""What only trusted editing may decide: where messages go, what may run, and which environment variables are read.

Trusted is whoever can write the task file or run a command on this machine. REST, the pages' forms and the jobs of
Dagster's UI
are not: `RULES` is the whole list of what they may not change, and each rule is asked before anything is imported or
resolved.
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
from mystocks_dagster.taskfile.variables import has_variable
from mystocks_dagster.taskfile.yaml.document import Document, Raw, with_defaults
from mystocks_dagster.taskfile.yaml.tree import walk

#: A param that says where something is sent. Only of a task that reads variables: there it decides who gets their
#: values.
_DESTINATION = re.compile(
    r"(^|[_\-.\s])(urls?|uris?|hosts?|hostname|servers?|endpoints?|address(es)?|addr|webhooks?|callbacks?|prox(y|ies)|domains?|brokers?|"
    r"ports?|recipients?|receivers?|to|dsn)$|(url|uri|host|server|endpoint|webhook|proxy)s?$",
    re.IGNORECASE,
)
#: A value that names a place, whatever its param is called.
_PLACE = re.compile(r"://|@|^\s*[\w-]+(\.[\w-]+)+(:\d+)?(/.*)?\s*$|:\d{2,5}\b")
#: Keys beside the tasks that only describe the file; an import brings them where the file has none.
_DESCRIBING = frozenset({"version", "description"})

#: Yields what an edit would change, for people; nothing when it leaves the rule's matter as it is.
Judge = Callable[[Document, Document], Iterator[str]]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One matter that untrusted editing leaves as it is.

    Attributes:
        key: What stands in the task file.
        why: What it decides.
        judge: Yields the changes between two documents that are refused.
    """

    key: str
    why: str
    judge: Judge


def _head(key: str) -> Judge:
    def judge(before: Document, after: Document) -> Iterator[str]:
        if (after.head.get(key) or None) != (before.head.get(key) or None):
            yield key

    return judge


def _packages(before: Document, after: Document) -> Iterator[str]:
    ours = before.head.get("task_packages") or []
    theirs = after.head.get("task_packages") or []
    if theirs != ours:
        added = [str(name) for name in theirs if name not in ours] if isinstance(theirs, list) else [str(theirs)]
        yield f"task_packages ({', '.join(added)})" if added else "task_packages"


def _other_keys(before: Document, after: Document) -> Iterator[str]:
    for key in {**before.head, **after.head}:
        listed = key in {rule.key for rule in RULES} | _DESCRIBING
        if not listed and after.head.get(key) != before.head.get(key):
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
    ours = _by_id(before)
    for raw, own, old in _entries(before, after):
        reads = any(has_variable(text) for _, text in walk(ours.get(raw.id or "", {})))
        if old and (reads or _holds_secrets(old.get("params"))):
            for field in ("task_module", "task_function"):
                if own.get(field) != old.get(field):
                    yield f"{field} of {raw.label}"


def _destinations(before: Document, after: Document) -> Iterator[str]:
    for raw, own, old in _entries(before, after):
        effective = with_defaults(after.defaults, own) if raw.section == "tasks" else own
        if not _holds_secrets(effective.get("params")):
            continue
        for path, value in walk({"params": own.get("params")}):
            if _names_a_place(path, value) and _at(old, path) != value:
                yield f"{path_text(path)} of {raw.label}"


#: Everything that untrusted editing may not change. What a task that runs a command may do is judged in
#: `check_commands`, by the
#: function that it resolves to; folders that a clean-up may empty are judged when they are emptied, whoever named them
#: (`tasks.caches`).
RULES: tuple[Rule, ...] = (
    Rule(key="alerts", why="it decides where messages go", judge=_head("alerts")),
    Rule(key="task_packages", why="they decide what may run", judge=_packages),
    Rule(
        key="defaults",
        why="they are part of every task, also of those that run commands or read variables",
        judge=_head("defaults"),
    ),
    Rule(key="other keys of the file", why="what they decide is not known here", judge=_other_keys),
    Rule(key="${VARIABLES}", why="they decide which environment variables are read", judge=_variables),
    Rule(key="the function of a task that reads variables", why="it decides who gets their values", judge=_readers),
    Rule(
        key="destinations in params of a task that reads variables",
        why="they decide where the values are sent",
        judge=_destinations,
    ),
)


#: Those that also hold for an import of an export which nobody has changed: its entries were written by who may.
FILE_RULES = tuple(rule for rule in RULES if rule.judge not in (_variables, _readers, _destinations))


def check_documents(before: Document, after: Document, rules: Sequence[Rule] = RULES) -> None:
    """Refuse an untrusted edit that touches what `RULES` lists.

    Args:
        before: The task file as it is.
        after: As it would be.
        rules: Those that are asked.

    Raises:
        Forbidden: It does; the message names what, why, and who may do it.
    """
    for rule in rules:
        if changed := next(rule.judge(before, after), None):
            raise Forbidden(
                f"{changed} may not be written from here: {rule.why}. Whoever may edit {before.file} does it there, "
                "or with mystocks edit or mystocks import."
            )


def check_import(ours: Document, theirs: Document, rules: Sequence[Rule] = RULES) -> None:
    """Refuse an untrusted caller's import before anything of it is resolved; raises as `check_documents` does."""
    packages = [*(_names(ours)), *(name for name in _names(theirs) if name not in _names(ours))]
    taken = {
        key: theirs.head[key]
        for key in ("version", "description", "alerts")
        if key in theirs.head and key not in ours.head
    }
    head = {**ours.head, **taken, **({"task_packages": packages} if packages else {})}
    entries = {
        section: [Raw(section, raw.index, _flattened(theirs, raw), raw.first, raw.last) for raw in raws]
        for section, raws in theirs.entries.items()
    }
    check_documents(ours, Document(theirs.file, head, entries, theirs.problem), rules)


def check_commands(settings: Settings, before: Version, after: Version) -> None:
    """Refuse an untrusted edit after which a task that runs a command is new, or another than it was.

    Raises:
        Forbidden: There is one, and the server does not allow commands (`MYSTOCKS_API_COMMANDS`).
    """
    if settings.api_commands:
        return
    ours, defaults = _by_id(before.document), before.document.defaults
    for raw in after.document.entries["tasks"]:
        same = raw.id and ours.get(raw.id) == raw.data and defaults == after.document.defaults
        if raw.id and not same and runs_command(after, raw.id):
            raise Forbidden(
                f"{raw.id} runs a command of this machine, which may not be written from here. Edit tasks.yaml itself "
                "or use `mystocks edit`; or set MYSTOCKS_API_COMMANDS=yes for the server."
            )


def check_start(settings: Settings, version: Version, name: str, params: Mapping[str, Any]) -> None:
    """Refuse parameters with which an untrusted caller may not start a task.

    Args:
        settings: Whether the server allows commands (`MYSTOCKS_API_COMMANDS`).
        version: The task file.
        name: The task.
        params: Those of this run.

    Raises:
        Forbidden: They are another command, or send the values of variables elsewhere.
    """
    if params and not settings.api_commands and runs_command(version, name):
        raise Forbidden(
            f"{name} runs a command of this machine, which may not be given other parameters from here. "
            f"Use `mystocks run {name}`; or set MYSTOCKS_API_COMMANDS=yes for the server."
        )
    task = version.taskfile.by_id().get(name)
    if not isinstance(task, Task) or not _holds_secrets(task.written()["params"]):
        return
    for path, value in walk({"params": dict(params)}):
        if _names_a_place(path, value) and _at({"params": task.params}, path) != value:
            raise Forbidden(
                f"{name} holds secrets or reads variables, so {path_text(path)}, which may decide where they are sent, "
                f"may not be given from here. Use `mystocks run {name}`."
            )


def runs_command(version: Version, name: str) -> bool:
    """Say whether a task runs a program of any kind; of a broken one, whether it looks so."""
    from mystocks_dagster.tasks.process import run_command

    if name in version.functions:
        return version.functions[name] is run_command
    found = {**version.document.defaults, **_by_id(version.document).get(name, {})}
    return found.get("task_function") == run_command.__name__ or str(found.get("task_module")).endswith(".process")


def _entries(before: Document, after: Document) -> Iterator[tuple[Raw, Mapping[str, Any], Mapping[str, Any]]]:
    """Yield each entry as it would be, its own data, and what it was with the file's defaults; empty when it is new."""
    known = {raw.id: raw for raws in before.entries.values() for raw in raws if raw.id}
    for raws in after.entries.values():
        for raw in raws:
            old = known.get(raw.id)
            if isinstance(raw.data, dict) and not (old and old.data == raw.data):
                yield raw, raw.data, _flattened(before, old) if old else {}


def _flattened(document: Document, raw: Raw) -> Any:
    return (
        with_defaults(document.defaults, raw.data)
        if raw.section == "tasks" and isinstance(raw.data, dict)
        else raw.data
    )


def _by_id(document: Document) -> dict[str, dict[str, Any]]:
    return {raw.id: raw.data for raws in document.entries.values() for raw in raws if raw.id}


def _holds_secrets(params: Any) -> bool:
    """Say whether params read variables, or hold a value under a key with a secret name."""
    for path, value in walk({"params": params}):
        written_out = isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != ""
        if has_variable(value) or (written_out and any(map(is_secret, path[1:]))):
            return True
    return False


def _names_a_place(path: tuple[str | int, ...], value: Any) -> bool:
    """Say whether a param may decide where something is sent: by its name, or because its value is an address."""
    named = any(isinstance(part, str) and _DESTINATION.search(part) for part in path[1:])
    return named or (isinstance(value, str) and _PLACE.search(value) is not None)


def _names(document: Document) -> list[Any]:
    found = document.head.get("task_packages")
    return found if isinstance(found, list) else []


def _at(data: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data
