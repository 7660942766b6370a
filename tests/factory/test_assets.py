"""What the catalog says of the tables: groups, kinds, owners, first lines, where they are, which code made them."""

import re

import dagster as dg
import pytest
from support.project import ROOT, Folder

from mystocks_dagster.factory.build import build_definitions
from mystocks_dagster.factory.load import SIMULATED
from mystocks_dagster.taskfile.reader import load_task_file, load_text

GROUPS = {
    "reference": {
        *("stocks", "stock_names", "code_changes"),
        *("adjust_events", "corporate_actions", "action_differences"),
    },
    "market": {"daily_bars", "index_bars", "etf_bars", "stock_quotes", "etf_quotes"},
    "fundamentals": {"balance_sheets", "income_statements", "cash_flows", "daily_valuation"},
    "flows": {"longhubang", "capital_flow_stock", "capital_flow_sector", "capital_flow_concept"},
    "indicators": {"indicator_state", "indicators_daily", "indicators_monthly", "indicators_weekly"},
    "research": {
        *("signals", "backtests", "backtest_equity", "backtest_trades", "backtest_orders"),
        *("backtest_positions", "backtest_events", "backtest_grids", "screens", "screen_runs"),
    },
    "system": {
        *("loaded_days", "quarantine", "source_comparisons", "source_differences"),
        *("task_file", "trading_calendar"),
    },
}


@pytest.fixture(scope="module")
def shipped() -> dict[str, dg.AssetSpec]:
    return specs_of(build_definitions(load_task_file(ROOT / "tasks.yaml")))


def specs_of(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def test_tables_are_grouped_by_what_they_are_about(shipped: dict[str, dg.AssetSpec]) -> None:
    found: dict[str, set[str]] = {}
    for key, spec in shipped.items():
        found.setdefault(spec.group_name or "", set()).add(key)
    assert found == GROUPS


def test_a_table_says_how_it_is_stored_and_which_source_fills_it(shipped: dict[str, dg.AssetSpec]) -> None:
    assert shipped["longhubang"].kinds == {"delta", "polars", "akshare"}
    assert shipped["indicators_daily"].kinds == {"delta", "polars"}


def test_the_source_of_the_environment_wins_in_the_kinds_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTOCKS_SOURCE", "recorded")
    assert "recorded" in specs_of(build_definitions(load_task_file(ROOT / "tasks.yaml")))["daily_bars"].kinds


def test_the_catalogs_list_shows_another_line_for_each_table_also_in_a_simulated_market() -> None:
    specs = specs_of(build_definitions(load_task_file(ROOT / "tasks.yaml"), SIMULATED))
    first = [(spec.description or "").partition("\n")[0] for spec in specs.values()]
    assert len(set(first)) == len(first)
    assert not [line for line in first if "Simulated" in line]


def test_no_first_line_of_anything_shows_markdown() -> None:
    repository = build_definitions(load_task_file(ROOT / "tasks.yaml")).get_repository_def()
    jobs = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
    described = [
        *(job.description for job in jobs),
        *(job.graph.description for job in jobs),
        *(node.description for job in jobs for node in job.all_node_defs),
        *(spec.description for spec in repository.asset_graph.assets_defs for spec in spec.specs),
        *(one.description for one in (*repository.schedule_defs, *repository.sensor_defs)),
        *(check.description for check in repository.asset_graph.assets_defs for check in check.check_specs),
    ]
    lines = [(text or "").partition("\n")[0] for text in described]
    assert len(lines) > 60
    assert [line for line in lines if not line or re.search(r"\*\*|`|^#", line)] == []
    assert "每日股票数据同步：每天收盘后同步当日股票交易数据" in lines


@pytest.mark.parametrize(
    ("written", "shown"),
    [("数据组", "team:数据组"), ("team:data", "team:data"), ("li.lei@example.com", "li.lei@example.com")],
)
def test_a_tables_owner_is_the_tasks_and_one_of_the_defaults_is_taken(folder: Folder, written: str, shown: str) -> None:
    text = (ROOT / "tasks.yaml").read_text(encoding="utf-8")
    text = text.replace("\ntasks:\n", f'\ndefaults:\n  owner: "{written}"\n\ntasks:\n', 1)
    text = text.replace("    task_name: 龙虎榜数据获取\n", "    task_name: 龙虎榜数据获取\n    owner: 韩梅梅\n", 1)
    version = load_text(text, folder.root / "tasks.yaml")
    assert version.problems == ()
    definitions = build_definitions(version)
    specs = specs_of(definitions)
    assert list(specs["daily_bars"].owners) == [shown]
    assert list(specs["longhubang"].owners) == ["team:韩梅梅"]
    assert definitions.resolve_job_def("daily_data_sync").metadata["mystocks/owner"].value == written


def test_computed_tables_have_the_version_of_their_formulas_and_fetched_ones_none(
    shipped: dict[str, dg.AssetSpec],
) -> None:
    versions = {key: shipped[key].code_version for key in ("indicators_daily", "signals", "backtests")}
    assert len(set(versions.values())) == 3
    assert all(re.fullmatch(r"[0-9a-f]{16}", version or "") for version in versions.values())
    assert shipped["daily_bars"].code_version is None


def test_a_table_says_where_it_is_without_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTOCKS_LAKE", "s3://me:geheim@bucket/数据?token=1")
    specs = specs_of(build_definitions(load_task_file(ROOT / "tasks.yaml")))
    assert specs["daily_bars"].metadata["dagster/uri"] == "s3://bucket/数据/daily_bars"
    monkeypatch.setenv("MYSTOCKS_LAKE", "/tmp/a lake")
    specs = specs_of(build_definitions(load_task_file(ROOT / "tasks.yaml")))
    assert specs["daily_bars"].metadata["dagster/uri"].endswith("/tmp/a%20lake/daily_bars")
