"""Which sources can be compared with the stored rows of a table."""

from datetime import date

from mystocks_dagster.sources.witnesses import covers, witnesses_of


def test_those_with_whole_days_at_a_low_cost_come_first_and_others_give_a_sample():
    found = {witness.source: witness.in_bulk for witness in witnesses_of("daily_bars")}
    assert found["baostock"]
    assert found["dumps"]
    assert not found["akshare"]
    assert list(found) == sorted(found, key=lambda name: not found[name])
    assert "simulated" not in found


def test_a_source_is_no_witness_of_its_own_rows():
    assert "baostock" not in {witness.source for witness in witnesses_of("daily_bars", without=["baostock"])}


def test_a_source_of_the_present_covers_the_newest_day_only():
    (ratios,) = (witness for witness in witnesses_of("daily_valuation") if witness.source == "baostock")
    assert covers(ratios, date(2010, 1, 4), date(2025, 4, 7))
    (list_,) = (witness for witness in witnesses_of("stocks") if witness.source == "baostock")
    assert covers(list_, date(2025, 4, 7), date(2025, 4, 7))
    assert not covers(list_, date(2025, 4, 3), date(2025, 4, 7))
