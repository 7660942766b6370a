"""Changes of tasks.yaml, each followed by a reload."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from mystocks_dagster.errors import InstanceError, InvalidParams, MyStocksError, UnknownName
from mystocks_dagster.project import audit, edit_ledger, permissions
from mystocks_dagster.project.access import CLI, Action, Caller, check, file_of, limit_of
from mystocks_dagster.project.background_reload import BackgroundReload
from mystocks_dagster.project.permissions import Rule
from mystocks_dagster.project.reload import ReloadResult, reload
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile import module_cache
from mystocks_dagster.taskfile.edit import exports, plans, serialization, writer
from mystocks_dagster.taskfile.edit.plans import Changes, Plan
from mystocks_dagster.taskfile.edit.serialization import Format
from mystocks_dagster.taskfile.edit.writer import Edit
from mystocks_dagster.taskfile.problems import TaskFileError, path_text
from mystocks_dagster.taskfile.reader import content_hash
from mystocks_dagster.taskfile.secrets import MASK, masked_paths, unmask
from mystocks_dagster.taskfile.yaml.document import SECTIONS, Section, document_of
from mystocks_dagster.taskfile.yaml.source import Source, parse_text, read_text
from mystocks_dagster.version_stamp import refuse_newer


class ChangedMeanwhile(MyStocksError, status=409, exit_code=1):
    """An entry was changed by somebody else since the edit began."""

    remedy = "Look at the other change with `mystocks show TASK`, and make the edit again."


@dataclass(frozen=True, kw_only=True)
class EditResult:
    """The result of an edit.

    Attributes:
        edit: The text before and after.
        dry_run: Whether nothing was written.
        reloaded: The version that the web UI uses now; None if nothing was written, or the reload failed or is active.
        unused: Why the running web UI does not use the saved file; None if it does, or none is running.
        reload_under_way: Whether the running web UI is loading the file.
    """

    edit: Edit
    dry_run: bool
    reloaded: ReloadResult | None = None
    unused: str | None = None
    reload_under_way: bool = False

    @property
    def reload(self) -> Literal["under way", "done", "failed", "not needed"]:
        """State of the web UI's reload; not needed if nothing was written, or no web UI is running."""
        if self.reload_under_way:
            return "under way"
        if self.unused:
            return "failed"
        return "done" if self.reloaded and self.reloaded.address else "not needed"

    @property
    def diff(self) -> str:
        """The difference, line by line; empty if nothing changes."""
        return self.edit.diff

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of REST and `--json`."""
        return {
            "changed": bool(self.diff) and not self.dry_run,
            "dry_run": self.dry_run,
            "diff": self.diff,
            "reload": self.reload,
            "reloaded": self.reloaded.to_json() if self.reloaded else None,
            "not_reloaded": self.unused,
        }


class TaskFileEditor:
    """Edits a project's task file; a method whose result would be invalid raises `TaskFileError` and writes nothing.

    Args:
        settings: The project's settings.
        caller: The caller, which decides what may be changed.
        background: Reloads the web UI after an edit was answered; None: an edit returns after the reload.
    """

    def __init__(self, settings: Settings, caller: Caller = CLI, background: BackgroundReload | None = None) -> None:
        self.settings = settings
        self._caller = caller
        self._background = background

    def add(self, entry: Mapping[str, Any], *, dry_run: bool = False) -> EditResult:
        """Add a task, or a group, which is recognised by its `group_id`.

        Raises:
            EditRefused: The id is taken.
        """
        section: Section = "task_groups" if "group_id" in entry else "tasks"
        _check_stars(entry)
        return self._change(lambda source: plans.addition(source, section, entry), dry_run=dry_run)

    def edit(self, name: str, changes: Changes, *, section: Section | None = None, dry_run: bool = False) -> EditResult:
        """Change fields of a task or group: None removes a field, mappings are merged, other values replace (RFC 7386).

        Args:
            name: Id of the task or group.
            changes: The new values by field.
            section: Section of the file; None: both are searched.
            dry_run: Only check the edit and return the difference.

        Raises:
            UnknownName: There is no task or group of that id.
            InvalidParams: The changes have another id.
        """

        def plan(source: Source) -> Plan:
            path = _path_of(source, name, section)
            _check_id(name, path[0], changes)
            new = unmask(changes, _entry_at(source, path))
            _check_stars(new)
            return plans.planned(source, edited=[(path, new)])

        return self._change(plan, dry_run=dry_run)

    def replace(
        self,
        name: str,
        entry: Mapping[str, Any],
        *,
        section: Section | None = None,
        dry_run: bool = False,
        instead_of: Mapping[str, Any] | None = None,
    ) -> EditResult:
        """Replace all fields of a task or group by those of `entry`; arguments and errors else as in `edit`.

        Raises:
            ChangedMeanwhile: `instead_of` is given and differs from the entry in the file.
        """

        def plan(source: Source) -> Plan:
            path = _path_of(source, name, section)
            old = _entry_at(source, path)
            _check_id(name, path[0], entry)
            if instead_of is not None and old != instead_of:
                raise ChangedMeanwhile(f"{name} was changed meanwhile.")
            new = unmask(entry, old)
            _check_stars(new)
            return plans.planned(source, edited=[(path, serialization.replacing(old, new))])

        return self._change(plan, dry_run=dry_run)

    def remove(
        self, name: str, *, section: Section | None = None, force: bool = False, dry_run: bool = False
    ) -> EditResult:
        """Remove a task or group; its history stays, and so do the tasks of a group.

        Raises:
            UnknownName: There is no task or group of that id.
            EditRefused: Others refer to the task (`names`), and `force`, which removes the references, is False.
        """

        def plan(source: Source) -> Plan:
            path = _path_of(source, name, section)
            if path[0] == "tasks":
                return plans.removal(source, name, force=force)
            return plans.planned(source, removed=frozenset({path}))

        return self._change(plan, dry_run=dry_run)

    def import_file(self, named: str | Path, *, dry_run: bool = False) -> EditResult:
        """Import the tasks and groups of another file, YAML or JSON; entries with the same id are replaced.

        Args:
            named: The file; an untrusted caller's must be in the export folder.
            dry_run: Only check the import and return the difference.

        Raises:
            UnknownName: The file does not exist.
        """
        path = file_of(self._caller, self.settings, named)
        if not path.exists() or path.is_dir():
            raise UnknownName(f"{path} is not a file.")
        text = read_text(path)
        rules = permissions.FILE_RULES if exports.is_unchanged(self.settings, path, text) else permissions.RULES
        return self._import(text, str(path), rules, dry_run=dry_run)

    def import_text(self, text: str, name: str, *, dry_run: bool = False) -> EditResult:
        """Import from a text; `name` is its name in messages."""
        return self._import(text, name, permissions.RULES, dry_run=dry_run)

    def export(self, named: str | Path, form: Format | None = None, *, force: bool = False) -> Path:
        """Write the task file to another file, and return its path; errors as in `exports.export`.

        Args:
            named: The new file; an untrusted caller's must be in the export folder.
            form: YAML or JSON; None: by the file's name.
            force: Also replace a file that is not an earlier export.
        """
        check(self._caller, Action.EXPORT)
        audit.check_storage(self.settings)
        path = exports.export(self.settings, file_of(self._caller, self.settings, named), form, force=force)
        audit.note(self.settings, self._caller, Action.EXPORT, str(path))
        return path

    def _import(self, text: str, name: str, rules: Sequence[Rule], *, dry_run: bool) -> EditResult:
        module_cache.forget_changed()
        path = self.settings.task_file
        _, current = writer.editable(path)
        if limit := limit_of(self._caller, Action.IMPORT):
            imported = serialization.normalized(parse_text(text, name))
            limit(document_of(current), document_of(imported), rules)
        incoming = serialization.incoming(path, text, name)
        return self._change(lambda source: serialization.importing(source, incoming), dry_run=dry_run, rules=rules)

    def _change(
        self, plan: Callable[[Source], Plan], *, dry_run: bool, rules: Sequence[Rule] = permissions.RULES
    ) -> EditResult:
        module_cache.forget_changed()
        if not dry_run:
            refuse_newer(self.settings)
            audit.check_storage(self.settings)
        screen, allow = limit_of(self._caller, Action.EDIT), limit_of(self._caller, Action.WRITE_COMMAND)
        edit = writer.change(
            self.settings.task_file,
            plan,
            dry_run=dry_run,
            screen=screen and partial(screen, rules=rules),
            allow=allow and partial(allow, self.settings),
        )
        if dry_run or not edit.diff:
            return EditResult(edit=edit, dry_run=dry_run)
        audit.note(self.settings, self._caller, Action.EDIT, self.settings.task_file.name, content_hash(edit.after))
        edit_ledger.note(self.settings.dagster_home, content_hash(edit.after), self._caller.name)
        if self._background and self._background.begin():
            return EditResult(edit=edit, dry_run=False, reload_under_way=True)
        try:
            return EditResult(edit=edit, dry_run=False, reloaded=reload(self.settings, always=False))
        except (InstanceError, TaskFileError) as error:
            return EditResult(edit=edit, dry_run=False, unused=str(error))


def _check_stars(entry: Mapping[str, Any]) -> None:
    """Refuse *** as a value: it masks a secret, and the file has no secret in that place.

    Raises:
        InvalidParams: A value is ***.
    """
    if path := next(masked_paths(entry), None):
        raise InvalidParams(
            f"{path_text(path)}: {MASK} is the mask of a secret; write the value, preferably as ${{NAME}}."
        )


def _check_id(name: str, section: Section, entry: Mapping[str, Any]) -> None:
    """Refuse another id of an entry.

    Raises:
        InvalidParams: The id differs.
    """
    if entry.get(SECTIONS[section], name) != name:
        raise InvalidParams(
            f"The id of {name} cannot be changed, because its history refers to it. "
            "Register it under the new id and delete this one."
        )


def _path_of(source: Source, name: str, section: Section | None) -> plans.EntryPath:
    """Return section and index of a task or group; raises `UnknownName`."""
    in_section: Section = section or ("task_groups" if name in plans.ids(source, "task_groups") else "tasks")
    return plans.place_of(source, in_section, name)


def _entry_at(source: Source, path: plans.EntryPath) -> Any:
    section, index = path
    return source.data[section][index]
