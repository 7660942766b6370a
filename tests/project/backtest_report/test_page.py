"""The page of a report: its tables are in Chinese and English."""

import pytest

from mystocks_dagster.market.backtesting.prices import OPEN_REASONS
from mystocks_dagster.project.backtest_report import page


def test_the_tables_of_my_report_are_in_chinese_too() -> None:
    orders = page._table(("side", "reason", "orders"), page._named([("buy", "no free place", 3)]))
    assert "<th>方向 side</th><th>原因 reason</th><th>委托数 orders</th>" in orders
    assert "<td>买入 buy</td><td>没有空余仓位 no free place</td><td>3</td>" in orders


@pytest.mark.parametrize(
    "text",
    [
        *OPEN_REASONS[1:], "beyond the volume share", "not enough for a lot", "not an A share",
        "dividend", "rights", "rights_lapsed", "delisted",
    ],
)  # fmt: skip
def test_each_reason_and_event_has_its_chinese(text: str) -> None:
    assert page._both(text).endswith(f" {text}")
