"""The `tdx` source: the files of 通达信, the user's own or downloaded."""

from dataclasses import replace
from datetime import date, time
from pathlib import Path

from mystocks_dagster.plain_files import real_path
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.declaration import HostRule, Offer, SourceDeclaration

ARCHIVE_HOST, FILES_HOST = "data.tdx.com.cn", "www.tdx.com.cn"
#: From this time on the file of the day's bars is there as a rule.
PUBLISHED = time(16, 0)
_FIRST = date(1990, 12, 19)


def archive_path(settings: Settings) -> Path | None:
    """Return the user's zip or folder, or None if `MYSTOCKS_TDX` is not set."""
    option = settings.source_option("tdx")
    return real_path((settings.root / option).expanduser()) if option else None


def _bars(table: str, unknown: tuple[str, ...] = (), note: str = "") -> tuple[Offer, Offer]:
    past = Offer(table=table, past="all", first=_FIRST, unit="history", requests=1, null_columns=unknown, note=note)
    return past, replace(past, past="recent", first=None, unit="day", published=PUBLISHED)


def _ready(settings: Settings) -> str:
    return f"{archive_path(settings)} can be read"


SOURCE = SourceDeclaration(
    name="tdx",
    about="the files of 通达信: the whole market since 1990 in one zip, a zip a day, corporate actions, holidays",
    world="real",
    needs="network, or `MYSTOCKS_TDX`: a zip such as hsjday.zip, or a folder such as an installed client's vipdoc",
    offers=(
        *_bars(
            "daily_bars",
            ("turnover", "is_st"),
            "`prev_close` follows from corporate actions; suspended days have no row",
        ),
        *_bars("index_bars"),
        *_bars("etf_bars"),
        Offer(
            table="corporate_actions",
            past="all",
            unit="history",
            requests=1,
            null_columns=("known_since", "record_date"),
        ),
    ),
    implementation="mystocks_dagster.sources.tdx.source:TdxSource",
    hosts=(ARCHIVE_HOST, FILES_HOST),
    host_rules=(HostRule(name="tdx", hosts=("tdx.com.cn",), gap=1.0, daily=100),),
    has_files=lambda settings: archive_path(settings) is not None,
    ready=_ready,
)
