"""From the name in `data_source` to the source."""

from difflib import get_close_matches

from mystocks_dagster.errors import SettingsError, UnknownName
from mystocks_dagster.settings import SOURCES, Settings
from mystocks_dagster.sources.protocol import MarketSource

DEFAULT = "akshare"


def open_source(name: str | None, settings: Settings) -> MarketSource:
    """Open the source of that name; None is the default one. Opening costs no network call.

    Raises:
        UnknownName: There is no such source; the message lists those that exist.
        SettingsError: The source lacks a setting, or its options cannot be read.
    """
    # Each source is imported only when it is asked for: a task of one source does not pay for the others.
    match name or DEFAULT:
        case "akshare":
            from mystocks_dagster.sources.akshare.source import AkshareSource

            return AkshareSource(settings)
        case "simulated":
            from mystocks_dagster.sources.simulated.source import SimulatedSource

            return SimulatedSource(settings)
        case "recorded":
            from mystocks_dagster.sources.recorded.source import RecordedSource

            return RecordedSource(settings)
        case "baostock":
            raise SettingsError(
                "The source 'baostock' is not available in this version; use akshare, recorded or simulated."
            )
        case unknown:
            near = get_close_matches(unknown.lower(), SOURCES, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise UnknownName(f"There is no data source {unknown!r}; the sources are {', '.join(SOURCES)}.{hint}")
