"""The clock of this project: timezone-aware moments in Shanghai time."""

from datetime import datetime
from zoneinfo import ZoneInfo

from mystocks_dagster.settings import Settings

SHANGHAI = ZoneInfo("Asia/Shanghai")


def now() -> datetime:
    """Return the present moment in Asia/Shanghai, or the fixed one of `MYSTOCKS_NOW`."""
    fixed = Settings.from_env().fixed_now
    return fixed.astimezone(SHANGHAI) if fixed else datetime.now(SHANGHAI)  # noqa: TID251
