"""Plans of fills: one run for each stretch and source, within what the hosts allow."""

from datetime import date

from mystocks_dagster.project.fill_budget import within
from mystocks_dagster.project.fill_plan import Fill, OpenDay, fills
from mystocks_dagster.sources.declaration import HostRule
from mystocks_dagster.sources.past import PastOffer

DAYS = [date(2026, 11, day) for day in (9, 10, 11, 12, 13, 16, 17, 18)]
POSITION = {day: number for number, day in enumerate(DAYS)}
TDX = PastOffer(source="tdx", requests=1, flat=True)
BAOSTOCK = PastOffer(source="baostock", requests=1)


def opened(table: str, days: list[date], offer: PastOffer) -> list[OpenDay]:
    return [OpenDay(table, day, offer, "", force=False) for day in days]


def fill(source: str, days: list[date], each: int, once: int = 0) -> Fill:
    return Fill(
        task_id="t", tables=("daily_bars",), sessions=tuple(days), source=source, each=each, once=once, force=False
    )


class Left:
    """Budgets of which each source has one host."""

    def __init__(self, **left: int | None) -> None:
        self._left = left

    def rule(self, source: str, table: str) -> HostRule:
        return HostRule(name=source, hosts=(f"{source}.example",))

    def left(self, source: str, rule: HostRule) -> int | None:
        return self._left[source]

    def spent(self, source: str, rule: HostRule) -> str:
        return f"{rule.hosts[0]} has had enough."


def test_two_tables_of_a_day_are_each_loaded_from_their_own_source() -> None:
    items = opened("daily_bars", DAYS[:3], TDX) + opened("daily_valuation", DAYS[1:3], BAOSTOCK)
    plan = list(fills("sync", items, POSITION))
    assert [(each.source, each.tables, each.sessions, each.requests) for each in plan] == [
        ("tdx", ("daily_bars",), tuple(DAYS[:3]), 1),
        ("baostock", ("daily_valuation",), tuple(DAYS[1:3]), 2),
    ]


def test_what_is_requested_once_is_counted_once() -> None:
    plan = list(fills("sync", opened("daily_bars", [DAYS[0], DAYS[2], DAYS[4]], TDX), POSITION))
    assert [each.requests for each in plan] == [1, 0, 0]


def test_a_stretch_is_cut_where_the_requests_of_its_host_end_and_later_ones_wait() -> None:
    plan = [fill("baostock", DAYS[:5], each=2), fill("baostock", DAYS[6:], each=2), fill("tdx", DAYS, each=0, once=1)]
    possible, postponed = within(plan, Left(baostock=7, tdx=None))  # ty: ignore[invalid-argument-type]
    assert [(each.source, each.sessions, each.requests) for each in possible] == [
        ("baostock", tuple(DAYS[:3]), 6),
        ("tdx", tuple(DAYS), 1),
    ]
    assert [item.fill.sessions for item in postponed] == [tuple(DAYS[3:5]), tuple(DAYS[6:])]
    assert postponed[0].why == "baostock.example has had enough. This plan sends 6 of them."


def test_a_file_that_cannot_be_paid_for_is_not_begun() -> None:
    possible, postponed = within([fill("tdx", DAYS, each=0, once=2)], Left(tdx=1))  # ty: ignore[invalid-argument-type]
    assert possible == []
    assert postponed[0].fill.sessions == tuple(DAYS)


def test_what_needs_no_request_is_loaded_also_when_nothing_is_left() -> None:
    possible, postponed = within([fill("recorded", DAYS, each=0)], Left(recorded=0))  # ty: ignore[invalid-argument-type]
    assert len(possible) == 1
    assert postponed == []
