"""A chained source: the order of its members, what follows a failure, and what is never mixed."""

from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from standin.market import Market

from mystocks_dagster.errors import NotOffered, SettingsError, SourceChanged, SourceUnavailable, UnknownName
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.chain import ChainedSource, late_until, open_sources
from mystocks_dagster.sources.checked import CheckedSource
from mystocks_dagster.sources.registry import declarations, open_source

MONDAY = date(2025, 4, 7)
MARKET = Market.small(MONDAY)


@dataclass
class Vendor:
    """A source with the small market's 龙虎榜 and statements; raises `error` instead, if there is one."""

    name: str
    error: Exception | None = None
    world: str = "real"
    has_history: bool = True
    offers: frozenset[str] = frozenset({"longhubang", "balance_sheets"})
    asked: list[Any] = field(default_factory=list)

    def longhubang(self, start: date, end: date) -> pl.DataFrame:
        self.asked.append((start, end))
        if self.error:
            raise self.error
        return MARKET.longhubang.filter(pl.col("date").is_between(start, end))


def chain(*vendors: Vendor, automatic: bool = False) -> ChainedSource:
    return ChainedSource([CheckedSource(vendor) for vendor in vendors], automatic=automatic)  # ty: ignore[invalid-argument-type]


def test_the_first_that_answers_is_taken_and_no_other_is_asked() -> None:
    first, second = Vendor("first"), Vendor("second")
    assert chain(first, second).longhubang(MONDAY, MONDAY).height == 4
    assert (len(first.asked), len(second.asked)) == (1, 0)


@pytest.mark.parametrize("error", [SourceUnavailable("banned"), SourceChanged("other columns"), NotOffered("not mine")])
def test_a_failure_of_any_kind_is_followed_by_the_next(error: Exception) -> None:
    source = chain(Vendor("first", error), Vendor("second"))
    assert source.longhubang(MONDAY, MONDAY).height == 4
    failures = source.deliveries.failures("longhubang")
    assert failures == ({} if isinstance(error, NotOffered) else {"first": str(error)})


def test_when_all_fail_the_error_has_each_reason_and_is_worth_a_retry_if_one_is() -> None:
    source = chain(Vendor("first", SourceChanged("other columns")), Vendor("second", SourceUnavailable("banned")))
    with pytest.raises(SourceUnavailable, match=r"No source gave longhubang\. other columns banned"):
        source.longhubang(MONDAY, MONDAY)


def test_a_table_that_nobody_offers_is_not_offered() -> None:
    with pytest.raises(NotOffered, match="None of first, second has capital_flow_stock"):
        chain(Vendor("first"), Vendor("second")).capital_flow("stock", MONDAY)


def test_rows_of_a_refused_answer_are_not_in_the_findings() -> None:
    bad = Vendor("bad")
    bad.longhubang = lambda *_: MARKET.longhubang.vstack(MARKET.longhubang.with_columns(net_amount=1.0))  # ty: ignore[invalid-assignment]
    source = chain(bad, Vendor("good"))
    assert source.longhubang(MONDAY, MONDAY).height == 4
    assert source.findings("longhubang").faults == []
    assert "different longhubang rows" in source.deliveries.failures("longhubang")["bad"]


def test_two_worlds_are_never_mixed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="of different worlds"):
        chain(Vendor("first"), Vendor("second", world="simulated:7"))
    with pytest.raises(SettingsError, match="simulated invents its data, which is never mixed with real data"):
        open_sources("akshare, simulated", Settings.from_env(tmp_path))


@pytest.mark.parametrize(
    ("choice", "kind", "message"),
    [
        (["akshare", "akshar"], UnknownName, "Did you mean 'akshare'"),
        (["akshare", "akshare"], SettingsError, "akshare is named twice"),
        ("auto,akshare", SettingsError, "auto stands for the order of each table"),
    ],
)
def test_an_invalid_choice_is_refused_with_a_remedy(
    choice: Any, kind: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=message):
        open_sources(choice, Settings.from_env(tmp_path))


def test_a_choice_opens_one_source_or_several_in_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MYSTOCKS_RECORDED", str(tmp_path))
    settings = Settings.from_env(tmp_path)
    assert open_sources(None, settings).name == "akshare"
    assert open_sources(["simulated"], settings).name == "simulated"
    assert open_sources("recorded,akshare", settings).name == "recorded, akshare"


def test_auto_is_every_real_source_that_is_ready(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MYSTOCKS_RECORDED", raising=False)
    without = open_sources("auto", Settings.from_env(tmp_path)).name.split(", ")
    monkeypatch.setenv("MYSTOCKS_RECORDED", str(tmp_path))
    named = open_sources("auto", Settings.from_env(tmp_path)).name.split(", ")
    assert set(named) - set(without) == {"recorded"}
    assert "simulated" not in named
    assert "akshare" in without


def test_auto_says_which_source_it_had_to_leave_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MYSTOCKS_TDX", raising=False)
    assert open_sources("auto", Settings.from_env(tmp_path)).deliveries.sentences() == []
    monkeypatch.setenv("MYSTOCKS_TDX", "/nowhere/vipdoc")
    source = open_sources("auto", Settings.from_env(tmp_path))
    assert "tdx" not in source.name
    [sentence] = source.deliveries.sentences()
    assert sentence.startswith("tdx was left out: MYSTOCKS_TDX is /nowhere/vipdoc, which does not exist")


def test_an_archive_that_cannot_be_read_is_no_source_without_the_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "hsjday.zip").write_bytes(b"PK and no more")
    monkeypatch.setenv("MYSTOCKS_TDX", str(tmp_path / "hsjday.zip"))
    damaged = CheckedSource(open_source("tdx", Settings.from_env(tmp_path)))
    source = ChainedSource([damaged, CheckedSource(Vendor("second"))])  # ty: ignore[invalid-argument-type]
    assert source.longhubang(MONDAY, MONDAY).height == 4
    assert "tdx was left out" in source.deliveries.sentences()[0]
    with pytest.raises(SourceChanged, match=r"hsjday\.zip is not a complete zip"):
        source.rows("index_bars", MONDAY, MONDAY)


def test_auto_has_an_order_for_each_table_and_a_list_has_its_own() -> None:
    vendors = [Vendor("recorded"), Vendor("baostock"), Vendor("akshare")]
    assert [m.name for m in chain(*vendors).members_of("longhubang")] == ["recorded", "baostock", "akshare"]
    assert [m.name for m in chain(*vendors, automatic=True).members_of("longhubang")] == [
        "akshare",
        "baostock",
        "recorded",
    ]


def test_a_source_that_publishes_later_today_is_left_out_until_then(monkeypatch: pytest.MonkeyPatch) -> None:
    [offer] = declarations()["akshare"].offers_of("longhubang")
    assert offer.published == time(20)
    live, other = Vendor("akshare"), Vendor("other")
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-07T19:59:00+08:00")
    source = chain(live, other)
    source.first("longhubang", lambda member: member.longhubang(MONDAY, MONDAY), day=MONDAY)
    assert (len(live.asked), len(other.asked)) == (0, 1)
    assert source.deliveries.failures("longhubang") == {"akshare": "2025-04-07 is complete there from 20:00 on"}
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-07T20:00:00+08:00")
    chain(live, other).longhubang(MONDAY, MONDAY)
    assert (len(live.asked), len(other.asked)) == (1, 1)
    assert late_until(live, "longhubang", date(2025, 4, 3)) is None  # ty: ignore[invalid-argument-type]


def test_a_source_that_alone_has_a_table_is_asked_early_rather_than_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-07T16:30:00+08:00")
    live = Vendor("akshare")
    chain(live, Vendor("other", offers=frozenset())).longhubang(MONDAY, MONDAY)
    assert len(live.asked) == 1
