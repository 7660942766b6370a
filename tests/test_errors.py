"""Every error of the package carries its HTTP status and exit code."""

import importlib
import re

import pytest
from support.project import ROOT

from mystocks_dagster import errors
from mystocks_dagster.api.error_responses import RESPONSES
from mystocks_dagster.errors import MyStocksError


def classes(base: type[MyStocksError] = MyStocksError) -> list[type[MyStocksError]]:
    """Return every error class of the package, wherever it is declared."""
    return [found for child in base.__subclasses__() for found in (child, *classes(child))]


def test_a_class_without_a_status_or_exit_code_cannot_be_declared() -> None:
    with pytest.raises(TypeError, match="Nameless has no status"):
        type("Nameless", (MyStocksError,), {})
    with pytest.raises(TypeError, match="Codeless has no exit_code"):

        class Codeless(MyStocksError, status=409):
            pass


def test_a_class_inherits_what_it_does_not_state() -> None:
    class Sold(errors.NotRunning):
        pass

    assert (Sold.status, Sold.exit_code) == (errors.NotRunning.status, errors.NotRunning.exit_code)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("UnknownName", 404),
        ("InvalidParams", 422),
        ("OutsideCalendar", 422),
        ("Forbidden", 403),
        ("AlreadyRunning", 409),
        ("NotRunning", 409),
        ("NoSwitch", 409),
        ("NotNow", 409),
        ("Disabled", 409),
        ("NoDaemon", 503),
        ("SettingsError", 503),
        ("SourceUnavailable", 503),
        ("TableMissing", 404),
        ("WrongWorld", 409),
        ("LakeUnavailable", 503),
        ("TaskFailed", 500),
    ],
)
def test_the_status_says_who_can_mend_it(name: str, status: int) -> None:
    assert getattr(errors, name).status == status


def test_each_error_that_a_request_can_meet_has_a_documented_status_and_a_failing_exit_code() -> None:
    for file in (ROOT / "mystocks_dagster").rglob("*.py"):
        if re.search(r"^class \w+\(\w+, status=", file.read_text(encoding="utf-8"), re.MULTILINE):
            importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
    declared = [one for one in classes() if one.__module__.startswith("mystocks_dagster.")]
    assert {"EditRefused", "TaskFileError", "ChangedMeanwhile", "BadResult"} <= {one.__name__ for one in declared}
    for one in declared:
        assert one.status in {*RESPONSES, 500}, one
        assert one.exit_code == 1, one
