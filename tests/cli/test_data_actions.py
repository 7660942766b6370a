"""data actions: the contradictions between prices and corporate actions, and the decision of a person."""

from datetime import date

import polars as pl
import pytest
from support.commands import Commands, commands_in
from support.project import Folder

from mystocks_dagster.lake.action_check import check_actions
from mystocks_dagster.lake.loads import record_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.tables.reference import CORPORATE_ACTIONS

pytestmark = pytest.mark.slow

TUE, WED = date(2024, 6, 18), date(2024, 6, 19)


@pytest.fixture
def mystocks(folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    folder.write("tasks.yaml", "tasks: []\n")
    return commands_in(folder, monkeypatch, capsys)


def fill(mystocks: Commands, cash: float) -> None:
    """Store a bar before and after a dividend of 0.50 CNY, and the dividend as a source states it."""
    lake = Lake(str(mystocks.folder.root / "data"), "real")
    for day, before in ((TUE, 10.0), (WED, 9.5)):
        prices = dict.fromkeys(("open", "high", "low", "close"), 10.0)
        row = {"symbol": "600000.SH", "date": day, **prices, "prev_close": before, "volume": 1, "amount": 10.0}
        lake.replace_days("daily_bars", DAILY_BARS.typed(pl.DataFrame([row | {"suspended": False}])), [day])
    action = {"symbol": "600000.SH", "ex_date": WED, "cash": cash, "bonus": 0.0, "source": "tdx"}
    lake.upsert("corporate_actions", CORPORATE_ACTIONS.typed(pl.DataFrame([action])))
    record_days(lake, "corporate_actions", {TUE: 0, WED: 1}, source="tdx")
    check_actions(lake, [TUE, WED])


def test_a_contradiction_is_listed_and_decided(mystocks: Commands):
    fill(mystocks, 0.6)
    assert "ratio_differs" in mystocks("data", "actions")
    listed = mystocks.json("data", "actions")
    assert [(row["symbol"], row["date"], row["stated"]) for row in listed["open"]] == [("600000.SH", "2024-06-19", 9.5)]
    assert listed["known"] == {"first": "2024-06-18", "last": "2024-06-19"}
    mystocks("history")
    assert "Confirmed: 600000.SH" in mystocks("data", "actions", "--confirm", "600000", "2024-06-19")
    (noted,) = mystocks.json("audit")
    assert (noted["action"], noted["target"], noted["detail"]) == ("confirm a price", "600000.SH", "2024-06-19")
    assert mystocks.json("data", "actions")["open"] == []


def test_agreement_says_for_which_days(mystocks: Commands):
    fill(mystocks, 0.5)
    assert "agree, from 2024-06-18 to 2024-06-19" in mystocks("data", "actions")


def test_without_actions_the_way_to_them_is_named(mystocks: Commands):
    assert "No corporate actions are known yet" in mystocks("data", "actions")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("600000.SH", "2024-06-18"), "has no open difference on 2024-06-18"),
        (("600000.SH", "19/06/2024"), "is not a day. Write it like"),
        (("MOUTAI", "2024-06-19"), "is not a stock code"),
    ],
)
def test_a_decision_about_nothing_is_refused(mystocks: Commands, arguments, message):
    fill(mystocks, 0.6)
    output = mystocks("data", "actions", "--confirm", *arguments, code=1)
    assert message in " ".join(output.split())
