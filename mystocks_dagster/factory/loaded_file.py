"""A task file of a code location, with the settings that replace environment variables for it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import dagster as dg

from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.reader import Version


@dataclass(frozen=True, kw_only=True)
class LoadedFile:
    """One task file of a code location.

    Attributes:
        version: The file, with its functions resolved.
        name: The folder of its component below `defs/`; empty for the project's own tasks.yaml.
        lake: Lake of its tasks; None for the project's.
        source: Data source of its tasks; None for the project's, or that of each task.
        notice: A sentence for each asset's description, such as "this market is simulated".
        first_days: First stored day of each table.
    """

    version: Version
    name: str = ""
    lake: str | None = None
    source: str | None = None
    notice: str | None = None
    first_days: Mapping[str, date] = field(default_factory=dict, compare=False)

    def settings(self) -> Settings:
        """Return the settings of its tasks."""
        return Settings.from_env().of_file(lake=self.lake, source=self.source)

    @property
    def prefix(self) -> tuple[str, ...]:
        """Prefix of its asset keys: the name of the lake's folder, or nothing for the project's lake."""
        return (lake_name(self.lake),) if self.lake else ()

    def key(self, table: str) -> dg.AssetKey:
        """Return the asset key of one of its tables."""
        return dg.AssetKey([*self.prefix, table])

    def own_key(self, name: str) -> dg.AssetKey:
        """Return the key of an asset of the file itself, not of its lake."""
        return dg.AssetKey([*(plain_name(part) for part in self.name.split("/") if part), name])


def lake_name(lake: str) -> str:
    """Return the name of a lake's folder as it is used in asset keys.

    Examples:
        >>> lake_name("s3://bucket/lakes/hong-kong/")
        'hong_kong'
    """
    return plain_name(lake.rstrip("/").rpartition("/")[2])


def plain_name(text: str) -> str:
    """Replace each character that Dagster does not allow in names by an underscore."""
    return re.sub(r"[^A-Za-z0-9_]", "_", text)
