"""Choose the source of a whole market's past: the quickest one that answers, or the one of a user's files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from zipfile import is_zipfile

from mystocks_dagster.errors import InvalidParams, SettingsError, SourceError, SourceUnavailable
from mystocks_dagster.plain_files import real_path
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.declaration import SourceDeclaration
from mystocks_dagster.sources.reach import reach
from mystocks_dagster.sources.registry import declarations, open_source
from mystocks_dagster.sources.zips import DamagedZip, opened_zip

_BARS = "daily_bars"
#: Costs of an offer from the cheapest to the most expensive; the other units do not fill a whole market.
_UNITS = ("history", "day")
_ARCHIVE = (".parquet", ".csv", ".csv.gz")
#: Files of a folder that are looked at to recognise it.
_MOST_FILES = 20_000


@dataclass(frozen=True)
class ChosenSource:
    """A source with the settings to open it with.

    Attributes:
        name: The value of `data_source`.
        settings: The settings, with the source's option if the user named a folder or file.
        others: Quicker sources that were not chosen, each with the reason.
    """

    name: str
    settings: Settings
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def note(self) -> str:
        """A sentence about the sources that were not chosen; may be empty."""
        reasons = "; ".join(f"{name}: {reason}" for name, reason in self.others.items())
        return f"{self.name} is the quickest source that answers ({reasons})." if reasons else ""


def quickest(settings: Settings) -> ChosenSource:
    """Return the quickest source with the market's past that answers.

    Raises:
        SourceUnavailable: None answers; the message gives each reason.
    """
    reasons: dict[str, str] = {}
    for name in by_speed(declarations().values(), settings):
        try:
            if has_own_files(name, settings):
                open_source(name, settings)
            else:
                reach(name, settings)
        except (SettingsError, SourceError) as error:
            reasons[name] = str(error).rstrip(".")
        else:
            return ChosenSource(name, settings, reasons)
    listed = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    raise SourceUnavailable(f"No source of the market's past answers ({listed}). Name a folder or zip: --from FOLDER.")


def by_speed(sources: Iterable[SourceDeclaration], settings: Settings) -> list[str]:
    """Return the names of the real sources with a past of the whole market, the quickest first.

    An archive of the user's own comes first: it needs no network.
    """
    costs: dict[str, tuple[int, int]] = {}
    for source in sources:
        offers = [offer for offer in source.offers_of(_BARS) if offer.past == "all" and offer.unit in _UNITS]
        if source.world != "real" or source.implementation is None:
            continue
        if offers:
            costs[source.name] = min((1 + _UNITS.index(offer.unit), offer.requests) for offer in offers)
        if has_own_files(source.name, settings):
            costs[source.name] = (0, 0)
    return sorted(costs, key=lambda name: (costs[name], name))


def has_own_files(name: str, settings: Settings) -> bool:
    """Return whether the option of a source names files of the user, so that it needs no network."""
    option = settings.source_option(name)
    return bool(option) and (settings.root / Path(option).expanduser()).exists()


def from_files(path: Path, settings: Settings) -> ChosenSource:
    """Return the source that reads a user's folder or zip.

    It may be a 通达信 archive (a zip or folder of `.day` files, an installed client or its `vipdoc`), or an archive of
    Parquet and CSV files.

    Raises:
        InvalidParams: It does not exist, or holds neither.
    """
    name = _recognised(path)
    options = {**settings.source_options, name: str(real_path(path))}
    return ChosenSource(name, replace(settings, source=None, source_options=options))


def _recognised(path: Path) -> str:
    if not path.exists():
        raise InvalidParams(f"{path} does not exist; name a folder, a zip, or one of {', '.join(declarations())}.")
    if path.is_file():
        if is_zipfile(path) and any(name.lower().endswith(".day") for name in _names(path)):
            return "tdx"
        raise InvalidParams(f"{path} is not a zip of .day files, such as hsjday.zip of 通达信.")
    archive = False
    for number, file in enumerate(path.rglob("*")):
        name = file.name.lower()
        if name.endswith(".day") or (name.endswith(".zip") and "day" in name):
            return "tdx"
        archive = archive or name.endswith(_ARCHIVE)
        if number > _MOST_FILES and archive:
            break
    if archive:
        return "recorded"
    raise InvalidParams(
        f"{path} holds neither .day files of 通达信 (a zip, or the folder vipdoc of an installed client) nor Parquet "
        "or CSV files (docs/sources.md describes their layout)."
    )


def _names(path: Path) -> list[str]:
    try:
        with opened_zip(path) as archive:
            return archive.namelist()
    except DamagedZip as error:
        raise InvalidParams(f"{path} cannot be read ({error}).") from error
