"""Steps of ops and assets: run one attempt of the task's function and report its outcome to Dagster."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

import dagster as dg

from mystocks_dagster.excerpts import abbreviate
from mystocks_dagster.execution.attempt import run_attempt
from mystocks_dagster.execution.attempt_spec import AttemptSpec
from mystocks_dagster.execution.output import to_own_streams
from mystocks_dagster.execution.tasklog import TaskLog
from mystocks_dagster.factory.data_versions import data_versions
from mystocks_dagster.factory.report import Report
from mystocks_dagster.factory.spec import TaskSpec
from mystocks_dagster.runs.stop import is_stopped, mark_canceling
from mystocks_dagster.settings import Settings
from mystocks_dagster.source_choice import SOURCE_FIELD
from mystocks_dagster.tags import State, Tag


class Interrupted(dg.DagsterError, dg.DagsterExecutionInterruptedError):
    """The run was stopped while the task's function ran.

    Dagster treats its own interruption as a failure and applies the retry policy with its delay. It does not retry a
    DagsterError.
    """


def run_task(context: dg.OpExecutionContext, spec: TaskSpec, days: tuple[date, ...] = ()) -> Report:
    """Run one attempt of the task in a child process.

    Args:
        context: Context of an op or asset.
        spec: The task.
        days: Trading days that were requested as partitions.

    Returns:
        The attempt's report, from which the caller makes events; see `end_step`.
    """
    days = days or _made_up_for(context)
    if warning := context.run.tags.get(Tag.CALENDAR):
        context.log.warning(warning)
    attempt = _attempt_spec(context, spec, days)
    versions = data_versions(context, spec)
    log = _task_log(attempt)
    if is_stopped(context.instance, context.run_id):
        mark_canceling(context.instance, context.run_id)
        raise Interrupted(f"{attempt.task_id} was not started, because its run was stopped")
    try:
        outcome = run_attempt(
            attempt,
            on_log=lambda line: _both(context, log, line.level_name, line.message, line.time),
            on_progress=lambda done, total, message: _both(context, log, "INFO", f"{done}/{total} {message}"),
            on_output=lambda stream, raw: _output(log, stream, raw),
        )
    except (dg.DagsterExecutionInterruptedError, KeyboardInterrupt) as error:
        log.write("ERROR", "stopped on request")
        raise Interrupted(f"{attempt.task_id} was stopped") from error
    report = Report(spec=spec, outcome=outcome, attempt=attempt.attempt, days=days, versions=versions)
    if error := log.write(*_ending(report)):
        context.log.warning(f"{error}: the log of this attempt is here and in its captured output only.")
    return report


def _attempt_spec(context: dg.OpExecutionContext, spec: TaskSpec, days: tuple[date, ...]) -> AttemptSpec:
    task = spec.task
    config: Mapping[str, Any] = context.op_config or {}
    return AttemptSpec(
        task_id=task.task_id,
        module=spec.function.__module__,
        function=task.task_function,
        params={**task.params, **config},
        run_id=context.run_id,
        attempt=context.retry_number + 1,
        log_level=task.log_level,
        timeout=task.timeout,
        days=days,
        source_override=config.get(SOURCE_FIELD),
        task_packages_path=(str(spec.source.parent),),
        secret=spec.secret,
        lake=spec.file.lake,
        source=spec.file.source,
        available_after=task.available_after,
    )


def _task_log(attempt: AttemptSpec) -> TaskLog:
    settings = Settings.from_env()
    return TaskLog(
        settings.logs,
        attempt.task_id,
        attempt.run_id,
        attempt.attempt,
        largest=settings.log_bytes,
        files=settings.log_files,
    )


def _both(context: dg.OpExecutionContext, log: TaskLog, level: str, message: str, at: datetime | None = None) -> None:
    context.log.log(level, message)
    log.write(level, message, at)


def _output(log: TaskLog, stream: str, raw: bytes) -> None:
    to_own_streams(stream, raw)
    log.output(stream, raw)


def _ending(report: Report) -> tuple[str, str]:
    """Return the last line of an attempt in the task's log file: level and text."""
    if error := report.outcome.error:
        return "ERROR", f"failed after {report.outcome.seconds:.1f} s: {report.failure}\n{error.traceback}".rstrip()
    level = "INFO" if report.result.status == State.SUCCESS else "WARNING"
    return level, f"{report.result.status} after {report.outcome.seconds:.1f} s. {report.result.message}".rstrip()


def _made_up_for(context: dg.OpExecutionContext) -> tuple[date, ...]:
    """Return the trading day of a missed start that this run makes up for."""
    day = context.run.tags.get(Tag.DAY)
    return (date.fromisoformat(day),) if day else ()


def end_step(context: dg.OpExecutionContext, report: Report) -> Iterator[dg.AssetCheckEvaluation]:
    """Log the outcome; for a failed attempt, yield failed checks of the tables and raise.

    A generator, because Dagster drops log events of a step that raises, but keeps yielded events. Only the last attempt
    yields the checks, since a retry may still succeed.

    Raises:
        dg.Failure: The attempt failed; retries are allowed only if the error is retryable.
    """
    result = report.result
    if report.failure:
        if report.spec.retries:
            context.log.warning(_next_attempt(report))
        if report.last:
            yield from report.evaluations()
        raise dg.Failure(description=report.failure, metadata=report.failure_metadata(), allow_retries=report.retryable)
    if result.status == State.PARTIAL_SUCCESS:
        failed = abbreviate(result.failed_items, 20)
        repeat = f"Run only these again: {report.again}" if report.again else ""
        # Each is a sentence of its own: a task's message may have several, in the user's own words.
        parts = (f"partly done: {result.message}", f"Not done ({len(result.failed_items)}): {failed}.", repeat)
        context.log.warning(" ".join(filter(None, parts)))
    elif result.status == State.SKIPPED:
        context.log.warning(f"skipped: {result.message}")
    else:
        context.log.info(f"done in {report.outcome.seconds:.1f} s. {result.message}".rstrip())


def _next_attempt(report: Report) -> str:
    """Return which attempt failed, and whether, when and why another one follows."""
    failed = f"attempt {report.attempt} of {report.spec.retries + 1} failed: {report.failure}"
    error = report.outcome.error
    reason = error.why if error else ""
    if not report.retryable:
        return f"{failed}; there is no retry, because {reason}"
    if report.last:
        return f"{failed}; it was the last attempt"
    return f"{failed}; retry in {report.spec.retry_delay} s, because {reason}"
