"""The requests of a plan within what each host allows a day: what exceeds it is left for a later day."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mystocks_dagster.project.fill_plan import Fill, Postponed

if TYPE_CHECKING:
    from mystocks_dagster.sources.budgets import Budgets


def within(fills: Sequence[Fill], budgets: "Budgets") -> tuple[list[Fill], list[Postponed]]:
    """Return the fills that are possible today, cut where a host's requests are used up, and what is left.

    Args:
        fills: In the order in which they run.
        budgets: What the hosts allow, and what was sent to them today.
    """
    possible: list[Fill] = []
    postponed: list[Postponed] = []
    planned: Counter[str] = Counter()
    for fill in fills:
        rules = {rule.name: rule for table in fill.tables if (rule := budgets.rule(fill.source, table))}
        count, tightest = fill.days, None
        for rule in rules.values():
            left = budgets.left(fill.source, rule)
            days = fill.affordable(None if left is None else max(0, left - planned[rule.name]))
            if days < count:
                count, tightest = days, rule
        first, rest = fill.cut(count)
        if first:
            possible.append(first)
            planned.update(dict.fromkeys(rules, first.requests))
        if rest and tightest:
            ahead = f" This plan sends {planned[tightest.name]:,} of them." if planned[tightest.name] else ""
            postponed.append(Postponed(fill=rest, why=budgets.spent(fill.source, tightest) + ahead))
    return possible, postponed
