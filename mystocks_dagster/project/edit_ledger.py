"""Who made which version of the task file: one line for each edit through this package, in the instance's folder."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mystocks_dagster.market.clock import SHANGHAI, now

#: The file, in the instance's folder; one JSON object in each line, the newest last.
FILE = "edits.jsonl"


@dataclass(frozen=True, kw_only=True)
class EditNote:
    """An edit: when, and by which interface (`cli`, `rest`, `web`, `python`, `dagster`)."""

    time: datetime
    by: str


def note(home: Path, version: str, by: str) -> None:
    """Add an edit that made the version with this hash; nothing without the instance's folder."""
    if home.is_dir():
        line = json.dumps({"time": now().isoformat(), "by": by, "version": version}, ensure_ascii=False)
        with (home / FILE).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def notes(home: Path) -> Mapping[str, EditNote]:
    """Return the newest edit that made each version, by its hash; a line that was cut off by a crash is left out."""
    try:
        lines = (home / FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    edits = {}
    for line in lines:
        try:
            row = json.loads(line)
            time = datetime.fromisoformat(row["time"]).astimezone(SHANGHAI)
            edits[row["version"]] = EditNote(time=time, by=row["by"])
        except (ValueError, KeyError, TypeError):
            continue
    return edits
