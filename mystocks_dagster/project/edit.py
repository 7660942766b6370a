"""Changes of tasks.yaml, each followed by a reload: what all callers share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from mystocks_dagster.errors import InstanceError, InvalidParams, MyStocksError, UnknownName
from mystocks_dagster.project import permissions
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
from mystocks_dagster.taskfile.secrets import MASK, masked_paths, unmask
from mystocks_dagster.taskfile.yaml.document import Section, document_of
from mystocks_dagster.taskfile.yaml.source import Source, parse_text, read_text


class ChangedMeanwhile(MyStocksError, status=409, exit_code=1):
    """An entry is no longer what it was when somebody began to edit it."""


@dataclass(frozen=True, kw_only=True)
class EditResult:
    """What became of an edit.

    Attributes:
        edit: The text before and after.
        dry_run: Nothing was written.
        reloaded: What the web UI uses now; None when nothing was written, when that failed or is under way.
        unused: Why the running web UI does not use the saved file yet; None when it does, or none runs.
        reload_under_way: The running web UI loads the file now.
    """

    edit: Edit
    dry_run: bool
    reloaded: ReloadResult | None = None
    unused: str | None = None
    reload_under_way: bool = False

    @property
    def reload(self) -> Literal["under way", "done", "failed", "not needed"]:
        """How far the web UI is with the saved file; not needed when nothing was written, or no web UI runs."""
        if self.reload_under_way:
            return "under way"
        if self.unused:
            return "failed"
        return "done" if self.reloaded and self.reloaded.address else "not needed"

    @property
    def diff(self) -> str:
        """The difference, line by line; empty when there was nothing to change."""
        return self.edit.diff

    def to_json(self) -> dict[str, Any]:
        """Return it as REST shows it."""
        return {
            "changed": bool(self.diff) and not self.dry_run,
            "dry_run": self.dry_run,
            "diff": self.diff,
            "reload": self.reload,
            "reloaded": self.reloaded.to_json() if self.reloaded else None,
            "not_reloaded": self.unused,
        }


class TaskFileEditor:
    """Edits one project's task file; every method raises `TaskFileError` and writes nothing when it would become wrong.

    Args:
        settings: The project's.
        caller: Who edits, and so what may be changed.
        background: Reloads the web UI after an edit has been answered; None: an edit ends when that is done.
    """

    def __init__(self, settings: Settings, caller: Caller = CLI, background: BackgroundReload | None = None) -> None:
        self.settings = settings
        self._caller = caller
        self._background = background

    def add(self, entry: Mapping[str, Any], *, dry_run: bool = False) -> EditResult:
        """Add a task, or a group, which has a `group_id`.

        Raises:
            EditRefused: The id is taken.
        """
        section: Section = "task_groups" if "group_id" in entry else "tasks"
        _check_stars(entry)
        return self._change(lambda source: plans.addition(source, section, entry), dry_run=dry_run)

    def edit(self, name: str, changes: Changes, *, section: Section | None = None, dry_run: bool = False) -> EditResult:
        """Change fields of a task or group: None removes a field, mappings are merged, all else replaces (RFC 7386).

        Args:
            name: Its id.
            changes: What to change.
            section: Only look there; both are searched when None.
            dry_run: Only check it and say what would change.

        Raises:
            UnknownName: There is no task or group of that id.
        """

        def plan(source: Source) -> Plan:
            found, index = _place(source, name, section)
            wanted = unmask(changes, source.data[found][index])
            _check_stars(wanted)
            return plans.planned(source, edited=[((found, index), wanted)])

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
        """Let a task or group be what `entry` says, all of it; else as `edit`.

        Raises:
            ChangedMeanwhile: The file has something else now than `instead_of`, where that is given.
        """

        def plan(source: Source) -> Plan:
            found, index = _place(source, name, section)
            if instead_of is not None and source.data[found][index] != instead_of:
                raise ChangedMeanwhile(f"{name} was changed meanwhile.")
            wanted = unmask(entry, source.data[found][index])
            _check_stars(wanted)
            return plans.planned(
                source, edited=[((found, index), serialization.replacing(source.data[found][index], wanted))]
            )

        return self._change(plan, dry_run=dry_run)

    def remove(
        self, name: str, *, section: Section | None = None, force: bool = False, dry_run: bool = False
    ) -> EditResult:
        """Remove a task or group; its history stays, and the tasks of a group do.

        Raises:
            UnknownName: There is no task or group of that id.
            EditRefused: Others name the task and `force`, which takes it out of them, is not given; `names` says which.
        """

        def plan(source: Source) -> Plan:
            place = _place(source, name, section)
            if place[0] == "tasks":
                return plans.removal(source, name, force=force)
            return plans.planned(source, removed=frozenset({place}))

        return self._change(plan, dry_run=dry_run)

    def import_file(self, named: str | Path, *, dry_run: bool = False) -> EditResult:
        """Take the tasks and groups of another file, YAML or JSON, into ours; those of the same id are replaced.

        Args:
            named: The file; an untrusted caller's is one of the export folder.
            dry_run: Only check it and say what would change.

        Raises:
            UnknownName: There is no such file.
        """
        path = file_of(self._caller, self.settings, named)
        if not path.exists() or path.is_dir():
            raise UnknownName(f"There is no file {path}.")
        text = read_text(path)
        own = exports.is_unchanged(self.settings, path, text)
        return self._import(text, str(path), permissions.FILE_RULES if own else permissions.RULES, dry_run=dry_run)

    def import_text(self, text: str, name: str, *, dry_run: bool = False) -> EditResult:
        """Do the same with a text; `name` is what messages call it."""
        return self._import(text, name, permissions.RULES, dry_run=dry_run)

    def export(self, named: str | Path, form: Format | None = None, *, force: bool = False) -> Path:
        """Write the task file to another file, and return its path; arguments and errors as in `exports.export`.

        Args:
            named: Where to; an untrusted caller's is a file of the export folder.
            form: YAML or JSON; None: by the file's name.
            force: Also replace a file that is no former export.
        """
        check(self._caller, Action.EXPORT)
        return exports.export(self.settings, file_of(self._caller, self.settings, named), form, force=force)

    def _import(self, text: str, name: str, rules: Sequence[Rule], *, dry_run: bool) -> EditResult:
        module_cache.forget_changed()
        path = self.settings.task_file
        _, ours = writer.editable(path)
        if limit := limit_of(self._caller, Action.IMPORT):
            theirs = serialization.normalized(parse_text(text, name))
            limit(document_of(ours), document_of(theirs), rules)
        wanted = serialization.incoming(path, text, name)
        return self._change(lambda ours: serialization.importing(ours, wanted), dry_run=dry_run, rules=rules)

    def _change(
        self, plan: Callable[[Source], Plan], *, dry_run: bool, rules: Sequence[Rule] = permissions.RULES
    ) -> EditResult:
        module_cache.forget_changed()
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
        if self._background and self._background.begin():
            return EditResult(edit=edit, dry_run=False, reload_under_way=True)
        try:
            return EditResult(edit=edit, dry_run=False, reloaded=reload(self.settings, anew=False))
        except (InstanceError, TaskFileError) as error:
            return EditResult(edit=edit, dry_run=False, unused=str(error))


def _check_stars(entry: Mapping[str, Any]) -> None:
    """Refuse *** as a secret: it stands for one that was not shown, and the file has none in that place.

    Raises:
        InvalidParams: It is one.
    """
    if path := next(masked_paths(entry), None):
        raise InvalidParams(
            f"{path_text(path)}: {MASK} stands for a secret that is not shown; write the value, best as ${{NAME}}."
        )


def _place(source: Source, name: str, section: Section | None) -> plans.EntryPath:
    """Return where the task or group of that id stands; raises `UnknownName`."""
    found: Section = section or ("task_groups" if name in plans.ids(source, "task_groups") else "tasks")
    return plans.place_of(source, found, name)
