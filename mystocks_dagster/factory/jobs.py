"""Jobs: one for each task, which runs it after what it depends on, and one for each group.

Every job is a graph of ops (never an asset job), so that steps are called by their task ids everywhere, plain and
asset tasks mix, and a file of 1,000 tasks loads in linear time; see docs/decisions/0001.
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
from mystocks_dagster.taskfile.model import Group

#: Loaded into the fork server once, so that a parallel step starts in 0.3 s instead of 5 s.
PRELOAD = (
    "dagster",
    STEP_PROCESS_MODULE,
    "mystocks_dagster.definitions",
    "mystocks_dagster.factory.step",
)

#: How many tasks of a parallel group run at once, unless the Launchpad says otherwise.
SIDE_BY_SIDE = 4

#: Edges of a graph: step to the steps that must have succeeded before it starts.
Edges = Mapping[str, Sequence[str]]


def closure(ids: Iterable[str], specs: Mapping[str, TaskSpec]) -> list[str]:
    """Return `ids` and all that they depend on, each after its dependencies, otherwise in the given order."""
    found: dict[str, None] = {}

    def visit(task_id: str) -> None:
        if task_id in found:
            return
        for upstream in specs[task_id].task.dependencies:
            visit(upstream)
        found[task_id] = None

    for task_id in ids:
        visit(task_id)
    return list(found)


def build_task_job(
    spec: TaskSpec, specs: Mapping[str, TaskSpec], ops: Mapping[str, dg.OpDefinition]
) -> dg.JobDefinition:
    """Return the job of one task: its dependencies first, then itself."""
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
    """Return the job of a group: its tasks and what they depend on, in order or side by side.

    In a sequential group a task waits for every earlier one that has `stop_on_error: true`; one without it leaves
    the later ones free to run. Either way the run fails when a task fails. A lost run is started again, from the task
    at which it was lost, when every task of it says `auto_restart`.
    """
    ids = closure(group.tasks, specs)
    sequential = group.execution_mode == "sequential"
    edges = _chain(ids, specs) if sequential else {name: specs[name].task.dependencies for name in ids}
    graph = _graph(group.dagster_name, summary(group), ids, edges, specs, ops, in_order=sequential)
    first = specs[ids[0]]
    again = all(specs[name].task.auto_restart for name in ids)
    return graph.to_job(
        description=describe_group(group),
        tags={
            **run_tags(group, first.version, first.release),
            Tag.PRIORITY: max((dagster_priority(specs[name].task.priority) for name in ids), key=int),
            **restart_tag(again),
        },
        metadata=group_metadata(group),
        executor_def=dg.in_process_executor if sequential else parallel_executor(),
    )


def parallel_executor() -> dg.ExecutorDefinition:
    """Return the executor of parallel groups: a process a step, forked from a server that has all imports done.

    The number of steps at once does not follow the processors, as Dagster's default does: tasks mostly wait for a
    source,
    and on a machine with one processor they would run one after the other. The step of highest priority starts first.
    """
    start = {"forkserver": {"preload_modules": list(PRELOAD)}}
    slots = dg.Field(int, default_value=SIDE_BY_SIDE, description="How many tasks run side by side.")
    return dg.multiprocess_executor.configured(
        lambda config: {"start_method": start, "max_concurrent": config["max_concurrent"]},
        name="side_by_side",
        config_schema={"max_concurrent": slots},
    )


def _chain(ids: Sequence[str], specs: Mapping[str, TaskSpec]) -> dict[str, list[str]]:
    """Return edges from each task that stops on error to all later ones.

    One edge suffices, for they follow each other.
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
        # One step at a time is run by the in-process executor, the one of highest priority first.
        tags = {Tag.PRIORITY: str(len(ids) - position)} if in_order else {}
        node = dg.NodeInvocation(name=ops[task_id].name, alias=specs[task_id].name, tags=tags)
        upstream = [dg.DependencyDefinition(specs[up].name) for up in edges[task_id]]
        dependencies[node] = {AFTER: dg.MultiDependencyDefinition(upstream)} if upstream else {}
    return dg.GraphDefinition(
        name=name, description=description, node_defs=[ops[task_id] for task_id in ids], dependencies=dependencies
    )
