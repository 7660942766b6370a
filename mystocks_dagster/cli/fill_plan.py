"""A plan of `backfill --missing` in the terminal: what is loaded from where, what is postponed, and what cannot be."""

from collections.abc import Iterable
from typing import Any

from mystocks_dagster.cli.data_gaps import days_text
from mystocks_dagster.cli.printing import console, escape
from mystocks_dagster.cli.tables import print_table

_LATER = (
    "Load them tomorrow with the same command, allow more requests with [bold]--requests N[/], or name another source: "
    "[bold]-p data_source=NAME[/]"
)


def print_plan(plan: Any) -> None:
    """Print the runs of a plan, then what no run of it loads, with the reasons."""
    rows = [
        (
            fill.task_id,
            days_text(fill.first, fill.last),
            fill.days,
            fill.source,
            fill.requests,
            ", ".join(fill.tables),
        )
        for fill in plan.fills
    ]
    if rows:
        print_table(("task", "trading days", "days", "source", "requests", "tables"), rows)
    print_postponed(plan.postponed)
    for item in plan.not_fillable:
        console.print(
            f"[yellow]cannot be loaded:[/] {item.table} {days_text(item.first, item.last)} ({_count(item.days)}): "
            f"{escape(item.why)}"
        )
    for name, task in plan.never_loaded.items():
        load = f"mystocks run {task}" if task else "no task of tasks.yaml loads it"
        console.print(f"{name}: nothing is loaded yet, so nothing counts as missing; {load}")
    if not rows and not plan.postponed and not plan.not_fillable:
        console.print("No day is missing.")


def print_postponed(postponed: Iterable[Any]) -> None:
    """Print the stretches that are left for another day, and what to do about them."""
    stretches = list(postponed)
    for item in stretches:
        fill = item.fill
        console.print(
            f"[yellow]left for another day:[/] {', '.join(fill.tables)} {days_text(fill.first, fill.last)} "
            f"({_count(fill.days)}) from {fill.source}: {escape(item.why)}"
        )
    if stretches:
        console.print(_LATER)


def _count(days: int) -> str:
    return f"{days} day{'' if days == 1 else 's'}"
