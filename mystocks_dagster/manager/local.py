"""Process-local functions: they run in this process and are recorded as Dagster runs in the project's history."""

import logging
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import dagster as dg

from mystocks_dagster.dagster_internals import MAX_RETRIES_TAG, NoOpComputeLogManager
from mystocks_dagster.errors import InstanceError, InvalidParams
from mystocks_dagster.execution.call import call
from mystocks_dagster.execution.failures import to_record as failure_record
from mystocks_dagster.execution.jsonable import NotJsonable, to_jsonable
from mystocks_dagster.execution.result_encoding import from_record, to_record
from mystocks_dagster.execution.tasklog import TaskLog
from mystocks_dagster.factory.launcher import worker_tag
from mystocks_dagster.instance import open_instance
from mystocks_dagster.manager.responses import TaskResponse
from mystocks_dagster.project.project import Project
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import Metadata, State, Tag, op_name
from mystocks_dagster.taskfile.edit.plans import EditRefused
from mystocks_dagster.taskfile.functions import BUILT_IN, Unresolved, resolve
from mystocks_dagster.taskfile.names import dagster_name, id_fault
from mystocks_dagster.tasks.run import TaskRun

#: Task fields that a process-local function may have; the others need a function that every process can import.
_FIELDS = ("task_name", "description", "params")


@dataclass(frozen=True, kw_only=True)
class _LocalFunction:
    name: str
    function: Callable[..., Any]
    params: Mapping[str, Any]
    title: str


class LocalFunctions:
    """The process-local functions of one manager."""

    def __init__(self) -> None:
        self._functions: dict[str, _LocalFunction] = {}

    def has(self, name: str) -> bool:
        """Return whether a function of that name is registered."""
        return name in self._functions

    def remove(self, name: str) -> None:
        """Unregister a function; its history is kept."""
        del self._functions[name]

    def importable(self, project: Project, function: Callable[..., Any]) -> tuple[str, str] | None:
        """Return the module and name under which every process can import the function; None if there is none."""
        module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
        if not module or not name or "." in name:
            return None
        packages, folder = project.taskfile.task_packages, project.settings.task_file.parent
        try:
            imported = resolve(module, name, packages, folder)
        except Unresolved:
            return None
        same = getattr(imported, "__code__", imported) == getattr(function, "__code__", function)
        return (module, name) if same else None

    def register(
        self, project: Project, name: str, function: Callable[..., Any], fields: Mapping[str, Any]
    ) -> TaskResponse:
        """Register a function.

        Raises:
            InvalidParams: The id, the function or a field is not valid.
            EditRefused: tasks.yaml has a task or group with this id.
        """
        if reason := id_fault(name):
            raise InvalidParams(f"{name!r} is not a valid id: {reason}.")
        if not callable(function):
            raise InvalidParams(f"{name}: {function!r} is not callable.")
        for field in fields:
            if field not in _FIELDS:
                raise InvalidParams(f"{name} cannot have the field {field}: {self._local_only(name, function)}")
        if name in project.taskfile.by_id():
            raise EditRefused(f"{project.settings.task_file} already has {name!r}. Choose another id.", [name])
        params, title = fields.get("params") or {}, fields.get("task_name") or name
        self._functions[name] = _LocalFunction(name=name, function=function, params=params, title=title)
        return TaskResponse(message=f"{name} was registered. {self._local_only(name, function)}", task_id=name)

    def refuse_schedule(self, name: str) -> None:
        """Refuse to schedule a process-local function.

        Raises:
            InvalidParams: Always.
        """
        raise InvalidParams(f"{name} cannot be scheduled: {self._local_only(name, self._functions[name].function)}")

    def start(self, project: Project, name: str, params: Mapping[str, Any], by: str) -> TaskResponse:
        """Start a run in a thread and return when Dagster has recorded it."""
        local, run_id, step = self._functions[name], str(uuid4()), dagster_name(name)
        try:
            values = to_jsonable({**local.params, **params}, "params")
        except NotJsonable as error:
            raise InvalidParams(
                f"{name} was not started: {error}. The history stores params as text, numbers, lists and dicts."
            ) from None
        tags = {
            Tag.TASK_ID: name,
            Tag.STARTED_BY: by,
            Tag.WORKER: worker_tag(run_id, os.getpid()),
            Tag.IN_PROGRAM: str(os.getpid()),
            MAX_RETRIES_TAG: "0",
        }
        config = {
            "ops": {step: {"config": values}},
            # Dagster's events belong in the history, not on the program's terminal.
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        }
        job = _job(local, values, project)

        def work() -> None:
            with _uncaptured(project) as instance:
                job.execute_in_process(config, instance=instance, run_id=run_id, tags=tags, raise_on_error=False)

        thread = threading.Thread(target=work, name=f"mystocks {name}")
        thread.start()
        while project.instance.get_run_by_id(run_id) is None:
            if not thread.is_alive() and project.instance.get_run_by_id(run_id) is None:
                raise InstanceError(f"{name} was not started; see the lines above for the reason.")
            time.sleep(0.01)
        message = f"{name} was started in this process."
        return TaskResponse(message=message, data={"run_id": run_id}, task_id=name, execution_id=f"{run_id}:{step}")

    def _local_only(self, name: str, function: Callable[..., Any]) -> str:
        where = f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', type(function).__name__)}"
        return (
            f"{where} exists in this process only and runs while the process lives. To run it in any process or by "
            f"schedule, define it in a "
            f"module of {BUILT_IN} or of a package in task_packages."
        )


@contextmanager
def _uncaptured(project: Project) -> Generator[dg.DagsterInstance]:
    """Open the instance again without capture of stdout and stderr, which all threads of the program share."""
    with open_instance(project.settings) as instance:
        # Set here, because a compute log manager in dagster.yaml would apply to all runs of the project.
        instance._compute_log_manager = NoOpComputeLogManager()
        yield instance


def _job(local: _LocalFunction, params: Mapping[str, Any], project: Project) -> dg.JobDefinition:
    """Return a job of one step that calls the function in this process."""
    name = dagster_name(local.name)

    @dg.op(name=op_name(name), config_schema=dg.Permissive({}), out=dg.Out(dg.Nothing))
    def task_op(context: dg.OpExecutionContext) -> Iterator[Any]:
        started = time.monotonic()
        with _logged(local, context.run_id, project.settings) as log:
            try:
                returned = call(local.function, params, lambda: _run(local, context, project))
                result = from_record(to_record(returned))
            except (Exception, SystemExit) as error:  # noqa: BLE001 - any exception is the result of the task
                told = failure_record(error)
                log.write("ERROR", f"failed: {told['message']}\n{told['traceback']}".rstrip())
                raise dg.Failure(
                    description=f"{local.name}: {told['message']}", metadata=_summary(local, State.FAILED, started)
                ) from None
            log.write("INFO", f"{result.status}. {result.error or result.message}".rstrip())
        metadata = _summary(local, result.status, started)
        if result.status == State.FAILED:
            raise dg.Failure(
                description=f"{local.name}: {result.error or 'the function returned status failed'}", metadata=metadata
            )
        if result.message:
            metadata[Metadata.MESSAGE] = result.message
        if result.metadata:
            metadata[Metadata.RESULT] = dg.MetadataValue.json(dict(result.metadata))
        yield dg.Output(None, metadata=metadata)

    @dg.job(name=name, description=local.title)
    def job() -> None:
        task_op.alias(name)()

    return job


@contextmanager
def _logged(local: _LocalFunction, run_id: str, settings: Settings) -> Generator[TaskLog]:
    """Write the messages of the task's logger to the task's log file."""
    log = TaskLog(settings.logs, local.name, run_id, 1, largest=settings.log_bytes, files=settings.log_files)
    handler = _Handler(log)
    logger = logging.getLogger(f"task.{local.name}")
    logger.addHandler(handler)
    try:
        yield log
    finally:
        logger.removeHandler(handler)


class _Handler(logging.Handler):
    def __init__(self, log: TaskLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.write(record.levelname, self.format(record))


def _summary(local: _LocalFunction, status: str, started: float) -> dict[str, Any]:
    return {
        Metadata.TASK_ID: local.name,
        Metadata.TASK_NAME: local.title,
        Metadata.STATUS: status,
        Metadata.SECONDS: round(time.monotonic() - started, 3),
    }


def _run(local: _LocalFunction, context: dg.OpExecutionContext, project: Project) -> TaskRun:
    return TaskRun(
        task_id=local.name,
        run_id=context.run_id,
        attempt=1,
        settings=project.settings,
        logger=logging.getLogger(f"task.{local.name}"),
        report_progress=lambda done, total, message: context.log.info(f"{done}/{total} {message}"),
    )
