"""The `tdx` source: the files of 通达信."""

from datetime import date
from pathlib import Path

from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.declaration import Offer, SourceDeclaration


def archive_path(settings: Settings) -> Path | None:
    """Return the zip or folder of the archive, or None if `MYSTOCKS_TDX` is not set."""
    option = settings.source_option("tdx")
    return (settings.root / option).resolve() if option else None


_UNKNOWN = ("turnover", "is_st")

SOURCE = SourceDeclaration(
    name="tdx",
    about="the files of 通达信: its whole archive as a zip, a folder, or an installed client",
    world="real",
    needs="`MYSTOCKS_TDX`: a zip such as hsjday.zip, or a folder such as vipdoc",
    offers=(Offer(table="daily_bars", past="all", first=date(1990, 12, 19), unit="history", null_columns=_UNKNOWN),),
    implementation="mystocks_dagster.sources.tdx.source:TdxSource",
    ready=lambda settings: f"{archive_path(settings)} can be read",
)
