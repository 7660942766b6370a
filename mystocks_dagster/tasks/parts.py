"""Run the parts of a task one by one, so that a failed part does not stop the others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mystocks_dagster.errors import NotOffered, SourceError
from mystocks_dagster.sources.chain import ChainedSource
from mystocks_dagster.sources.protocol import MarketSource
from mystocks_dagster.tags import State
from mystocks_dagster.tasks.merge_results import merge_results
from mystocks_dagster.tasks.run import TaskResult, TaskRun


def run_parts(
    names: Sequence[str],
    work: Callable[[str], TaskResult],
    run: TaskRun,
    retry: Callable[[list[str]], Mapping[str, Any]],
) -> TaskResult:
    """Run `work` for each name and merge the results; parts that the source does not offer are skipped.

    Args:
        names: Names of the parts, as in `failed_items`.
        work: Runs one part.
        run: Reports progress and failures.
        retry: Returns the parameters that run only the failed parts again.

    Raises:
        SourceError: Parts failed and none succeeded; a retryable error is preferred.
    """
    parts: list[TaskResult] = []
    failed: dict[str, SourceError] = {}
    for done, name in enumerate(names):
        run.report_progress(done, len(names), name)
        try:
            parts.append(work(name))
        except NotOffered as error:
            parts.append(TaskResult(status="skipped", message=str(error)))
        except SourceError as error:
            run.logger.warning("%s could not be loaded: %s", name, error)
            failed[name] = error
    if failed and all(part.status == State.SKIPPED for part in parts):
        raise next((error for error in failed.values() if error.retryable), next(iter(failed.values())))
    result = merge_results(parts)
    if not failed:
        return result
    message = " ".join([result.message, *(f"{name} failed: {error}" for name, error in failed.items())])
    return replace(
        result,
        status="partial_success",
        message=message,
        failed_items=(*result.failed_items, *failed),
        retry_params=dict(retry(list(failed))),
    )


def add_deliveries(result: TaskResult, source: MarketSource) -> TaskResult:
    """Return the result with who gave what, and why other sources did not, if the source is chained."""
    if not isinstance(source, ChainedSource):
        return result
    message = " ".join(filter(None, [result.message, *source.deliveries.sentences()]))
    return replace(result, message=message, metadata={**result.metadata, "sources": source.deliveries.to_json()})


def requests_of(source: MarketSource) -> dict[str, Any]:
    """Return metadata about the source: name, world, and the number of requests by host."""
    return {"source": source.name, "world": source.world, "requests": getattr(source, "requests", {})}
