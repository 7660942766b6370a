"""The `recorded` source: your own archive of files."""

from pathlib import Path

from mystocks_dagster.plain_files import real_path
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.declaration import SourceDeclaration


def archive_folder(settings: Settings) -> Path | None:
    """Return the folder of the archive, or None if `MYSTOCKS_RECORDED` is not set."""
    folder = settings.source_option("recorded")
    return real_path(settings.root / folder) if folder else None


SOURCE = SourceDeclaration(
    name="recorded",
    about="your archive of Parquet and CSV files",
    world="real",
    needs="`MYSTOCKS_RECORDED`",
    offers_note="the tables of which it holds files",
    implementation="mystocks_dagster.sources.recorded.source:RecordedSource",
    ready=lambda settings: f"{archive_folder(settings)} can be read",
)
