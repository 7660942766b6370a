"""Jobs: one for each task with its dependencies, and one for each group.

Every job is a graph of ops and not an asset job. So step names are task ids everywhere, plain and asset tasks mix, and
a file of 1,000 tasks loads in linear time; see docs/decisions/0001.
"""

from collections.abc import Iterable, Mapping, Sequence

import dagster as dg

from mystocks_dagster.dagster_internals import STEP_PROCESS_MODULE
from mystocks_dagster.factory.ops import AFTER
from mystocks_dagster.factory.spec import TaskSpec
from mystocks_dagster.factory.ui_metadata import (
    dagster_priority,
    describe,
    describe_group,
    group_metadata,
    job_metadata,
    restart_tag,
    run_tags,
    summary,
)
from mystocks_dagster.tags import Tag
from mystocks_dagster.taskfile.group import Group

#: Loaded into the fork server once, so that a parallel step starts in 0.3 s instead of 5 s.
PRELOAD = (
    "dagster",
    STEP_PROCESS_MODULE,
    "mystocks_dagster.definitions",
    "mystocks_dagster.factory.step",
)

#: Tasks of a parallel group that run at once; the Launchpad can set another number.
MAX_PARALLEL_TASKS = 4

#: Edges of a graph: each step with the steps that must have succeeded before it starts.
Edges = Mapping[str, Sequence[str]]


def closure(ids: Iterable[str], specs: Mapping[str, TaskSpec]) -> list[str]:
    """Return `ids` and all their dependencies, each after its dependencies, otherwise in the given order."""
    ordered: dict[str, None] = {}

    def visit(task_id: str) -> None:
        if task_id in ordered:
            return
        for upstream in specs[task_id].task.dependencies:
            visit(upstream)
        ordered[task_id] = None

    for task_id in ids:
        visit(task_id)
    return list(ordered)


def build_task_job(
    spec: TaskSpec, specs: Mapping[str, TaskSpec], ops: Mapping[str, dg.OpDefinition]
) -> dg.JobDefinition:
    """Return the job of a task: its dependencies, then the task."""
    ids = closure([spec.task.task_id], specs)
    edges = {name: specs[name].task.dependencies for name in ids}
    graph = _graph(spec.name, summary(spec.task), ids, edges, specs, ops)
    return graph.to_job(
        description=describe(spec),
        tags=run_tags(spec.task, spec.version, spec.release),
        metadata=job_metadata(spec),
        executor_def=dg.in_process_executor,
    )


def build_group_job(
    group: Group, specs: Mapping[str, TaskSpec], ops: Mapping[str, dg.OpDefinition]
) -> dg.JobDefinition:
    """Return the job of a group: its tasks and their dependencies, sequential or parallel.

    In a sequential group a task waits for every earlier task with `stop_on_error: true`; after a failure of another
    task, the later ones run. In both cases the run fails if a task fails. A lost run is started again at the task that
    was lost if all its tasks have `auto_restart`.
    """
    edges = group_edges(group, specs)
    ids = list(edges)
    sequential = group.execution_mode == "sequential"
    graph = _graph(group.dagster_name, summary(group), ids, edges, specs, ops, in_order=sequential)
    first = specs[ids[0]]
    restart = all(specs[name].task.auto_restart for name in ids)
    return graph.to_job(
        description=describe_group(group),
        tags={
            **run_tags(group, first.version, first.release),
            Tag.PRIORITY: max((dagster_priority(specs[name].task.priority) for name in ids), key=int),
            **restart_tag(restart),
        },
        metadata=group_metadata(group),
        executor_def=dg.in_process_executor if sequential else parallel_executor(),
    )


def group_edges(group: Group, specs: Mapping[str, TaskSpec]) -> Edges:
    """Return the tasks of a group and their dependencies, each after those that it waits for."""
    ids = closure(group.tasks, specs)
    if group.execution_mode == "sequential":
        return _chain(ids, specs)
    return {name: specs[name].task.dependencies for name in ids}


def parallel_executor() -> dg.ExecutorDefinition:
    """Return the executor of parallel groups: one process for each step, forked from a server with all imports done.

    The number of parallel steps does not depend on the number of processors, as Dagster's default does: tasks mostly
    wait for a source. The step of highest priority starts first.
    """
    start = {"forkserver": {"preload_modules": list(PRELOAD)}}
    slots = dg.Field(int, default_value=MAX_PARALLEL_TASKS, description="Tasks that run in parallel.")
    return dg.multiprocess_executor.configured(
        lambda config: {"start_method": start, "max_concurrent": config["max_concurrent"]},
        name="side_by_side",
        config_schema={"max_concurrent": slots},
    )


def _chain(ids: Sequence[str], specs: Mapping[str, TaskSpec]) -> dict[str, list[str]]:
    """Return edges from each task that stops on error to the later tasks.

    One edge to the last such task is enough, since these tasks depend on each other in order.
    """
    edges: dict[str, list[str]] = {}
    barrier: str | None = None
    for name in ids:
        task = specs[name].task
        edges[name] = list(dict.fromkeys((*task.dependencies, *((barrier,) if barrier else ()))))
        if task.stop_on_error:
            barrier = name
    return edges


def _graph(
    name: str,
    description: str | None,
    ids: Sequence[str],
    edges: Edges,
    specs: Mapping[str, TaskSpec],
    ops: Mapping[str, dg.OpDefinition],
    *,
    in_order: bool = False,
) -> dg.GraphDefinition:
    dependencies = {}
    for position, task_id in enumerate(ids):
        # The in-process executor runs one step at a time, the highest priority first.
        tags = {Tag.PRIORITY: str(len(ids) - position)} if in_order else {}
        node = dg.NodeInvocation(name=ops[task_id].name, alias=specs[task_id].name, tags=tags)
        upstream = [dg.DependencyDefinition(specs[up].name) for up in edges[task_id]]
        dependencies[node] = {AFTER: dg.MultiDependencyDefinition(upstream)} if upstream else {}
    return dg.GraphDefinition(
        name=name, description=description, node_defs=[ops[task_id] for task_id in ids], dependencies=dependencies
    )
