"""Folders with names as people have them: every one works, or is refused before anything is written."""

from datetime import date
from pathlib import Path

import pytest

from mystocks_dagster.errors import LakeUnusable
from mystocks_dagster.lake.loads import record_days
from mystocks_dagster.lake.store import Lake

JAN2, JAN3 = date(2025, 1, 2), date(2025, 1, 3)
NAMES = [
    *(
        "two words",
        "我的项目",
        "我的 项目 #1",
        "100%",
        "a%zz",
        "a#b",
        "a?b",
        "it's",
        'say "x"',
        "a&b",
        "a*b",
        "{a,b}",
        "-dash",
    ),
    *("trailing ", " leading", "a=b", "year=1999", "a+b;c", "~", "$HOME", "a:b", "(x)", "<x>", "!", "`x`", "x" * 255),
    *("emoji \U0001f600", "cafe\u0301", "full\u3000width"),
]


def use(lake: Lake, make_bars) -> None:
    """Write, read, ask, merge, compact and clean up."""
    for day in (JAN2, JAN3):
        lake.replace_days("daily_bars", make_bars(day), [day])
    record_days(lake, "daily_bars", {JAN2: 3, JAN3: 3}, source="test")
    lake.upsert("daily_bars", make_bars(JAN3, 4))
    lake.compact()
    lake.vacuum(keep_hours=0)
    assert lake.read("daily_bars").height == 7
    assert lake.read("daily_bars", symbols=["600003.SH"], start=JAN3, end=JAN3).height == 1
    assert lake.read_pandas("daily_bars", start=JAN3).shape[0] == 4
    assert lake.days("daily_bars") == [JAN2, JAN3]
    assert lake.head("daily_bars", 1)["date"].item() == JAN3
    assert lake.query("SELECT count(*) AS n FROM daily_bars").item() == 7
    assert [one.rows for one in lake.tables()] == [7, 2]
    opened = lake.log("daily_bars")
    assert opened is not None
    versions = [commit["version"] for commit in opened.history() if commit["operation"]]
    assert versions == [*range(opened.version(), -1, -1)]
    assert [commit["version"] for commit in opened.history(2)] == versions[:2]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_lake_works_in_a_folder_of_any_name(tmp_path, make_bars, name):
    use(Lake(str(tmp_path / name / "lake"), "real"), make_bars)
    assert (tmp_path / name / "lake" / "daily_bars" / "_delta_log").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_wildcards_in_a_name_never_match_another_lake(tmp_path, make_bars):
    other, mine = Lake(str(tmp_path / "aXb"), "real"), Lake(str(tmp_path / "a*b"), "real")
    other.replace_days("daily_bars", make_bars(JAN2, 50), [JAN2])
    mine.replace_days("daily_bars", make_bars(JAN2, 1), [JAN2])
    assert mine.read("daily_bars").height == 1


def test_a_relative_path_a_symbolic_link_and_a_url_are_the_same_lake(tmp_path, make_bars, monkeypatch):
    folder = tmp_path / "我的 项目"
    use(Lake(str(folder / "lake"), "real"), make_bars)
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    for location in ("我的 项目/lake", "./link/lake", str(tmp_path / "link" / "lake"), (folder / "lake").as_uri()):
        assert Lake(location).read("daily_bars").height == 7


@pytest.mark.parametrize("name", ["%20", "50%ab", "[x]", "a]", "a|b", "^", "back\\slash", "new\nline", "tab\tbed"])
def test_a_name_that_delta_rs_cannot_work_with_is_refused_in_one_sentence_and_nothing_is_written(
    tmp_path, make_bars, name
):
    lake = Lake(str(tmp_path / name / "lake"), "real")
    for act in (
        lambda: lake.replace_days("daily_bars", make_bars(JAN2), [JAN2]), lambda: lake.read("daily_bars"),
        lake.tables, lake.check_world,
        lambda: lake.query("SELECT 1"), lake.compact,
    ):  # fmt: skip
        with pytest.raises(
            LakeUnusable, match=r"cannot hold a lake: .* Set MYSTOCKS_LAKE to another folder, or rename this one"
        ):
            act()
    assert list(tmp_path.iterdir()) == []


def test_a_link_with_a_good_name_to_a_bad_one_is_refused_too(tmp_path, make_bars):
    (tmp_path / "[x]").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "[x]")
    with pytest.raises(LakeUnusable, match="folder name with '\\['"):
        Lake(str(link), "real").replace_days("daily_bars", make_bars(JAN2), [JAN2])
    assert not list(Path(link).iterdir())
