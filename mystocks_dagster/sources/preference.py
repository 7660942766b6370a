"""The choice of sources: the order of preference of each table, and what a user may write instead.

This is the only place that orders sources. A user overrides it by naming sources in order: `data_source` of a task,
`MYSTOCKS_SOURCE`, or the config of a run.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from types import MappingProxyType

from mystocks_dagster.errors import SettingsError, SourceNotSet, UnknownName
from mystocks_dagster.settings import Settings
from mystocks_dagster.source_choice import AUTO, source_choices, split_sources
from mystocks_dagster.sources.registry import declarations, is_simulated, open_source

#: The sources of `auto` by table, the preferred one first. A whole market's day costs one request with the first three
#: and seventy with akshare; an archive of the user's own is the last resort, because it may be old.
PREFERENCE = MappingProxyType(
    {
        "stocks": ("akshare", "baostock", "tdx", "recorded"),
        "corporate_actions": ("tdx", "akshare", "dumps", "recorded"),
        "daily_bars": ("tdx", "baostock", "dumps", "akshare", "recorded"),
        "index_bars": ("tdx", "baostock", "akshare", "recorded"),
        "etf_bars": ("tdx", "baostock", "akshare", "recorded"),
        "daily_valuation": ("baostock", "akshare", "recorded"),
    }
)
#: The order of every other table.
OTHERS = ("akshare", "tdx", "baostock", "dumps", "recorded")


def preferred(table: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return `names` in the order of preference of a table; names without a place in it come last."""
    order = PREFERENCE.get(table, OTHERS)
    return tuple(sorted(names, key=lambda name: order.index(name) if name in order else len(order)))


def ready(settings: Settings) -> tuple[str, ...]:
    """Return the names of the real sources that can be opened with these settings, of which `auto` consists."""
    return tuple(name for name in _real() if _refusal(name, settings) is None)


def left_out(settings: Settings) -> dict[str, str]:
    """Return the real sources that are set up but cannot be opened, each with the reason, such as a missing folder."""
    refusals = {name: _refusal(name, settings) for name in _real()}
    return {name: str(error) for name, error in refusals.items() if error and not isinstance(error, SourceNotSet)}


def _real() -> list[str]:
    return [name for name, source in declarations().items() if source.implementation and source.world == "real"]


def _refusal(name: str, settings: Settings) -> SettingsError | None:
    try:
        open_source(name, settings)
    except SettingsError as error:
        return error
    return None


def chosen(choice: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the names in a choice of sources, checked; empty for the default source, and (`auto`,) for `auto`.

    Raises:
        UnknownName: A source does not exist; the message lists the sources.
        SettingsError: A name is there twice, `auto` is not alone, or simulated data would be mixed with real data.
    """
    names = split_sources(choice)
    if fault := choice_fault(names):
        raise fault
    return names


def choice_fault(names: Sequence[str]) -> UnknownName | SettingsError | None:
    """Return the error of an invalid choice of sources; None if it is valid."""
    if unknown := [name for name in names if name not in source_choices()]:
        near = get_close_matches(unknown[0].lower(), source_choices(), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        listed = ", ".join(declarations())
        return UnknownName(f"There is no data source {unknown[0]!r}; the sources are {listed}.{hint}")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        return SettingsError(f"{twice} is named twice; name each source once, the preferred one first.")
    if AUTO in names and len(names) > 1:
        return SettingsError(f"{AUTO} stands for the order of each table; use it alone, or name the sources only.")
    if len({is_simulated(name) for name in names if name != AUTO}) > 1:
        invented = next(name for name in names if name != AUTO and is_simulated(name))
        return SettingsError(
            f"{invented} invents its data, which is never mixed with real data; use it alone, with a lake of its own."
        )
    return None
