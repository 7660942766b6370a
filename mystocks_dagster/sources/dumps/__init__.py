"""The `dumps` source: ten years of the whole market in one Parquet file, from 同花顺's market dumps."""

from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.declaration import HostRule, Offer, SourceDeclaration

HOST = "fuyao.aicubes.cn"
KEY_VARIABLE = "MYSTOCKS_DUMPS_KEY"

_NOTE = "{}; `prev_close` follows from corporate actions, where these are known; suspended days have no row"
_UNKNOWN = ("turnover", "is_st")
#: Two files, each with the request for its address: one call for both is not offered, and no address is good for long.
_BARS_AND_ACTIONS = 4
OFFERS = (
    Offer(
        table="daily_bars",
        past="all",
        unit="history",
        requests=_BARS_AND_ACTIONS,
        null_columns=_UNKNOWN,
        note=_NOTE.format("ten years"),
    ),
    Offer(
        table="daily_bars",
        past="recent",
        requests=_BARS_AND_ACTIONS,
        null_columns=_UNKNOWN,
        note=_NOTE.format("ten days"),
    ),
    Offer(table="corporate_actions", past="all", unit="history", requests=2, null_columns=("known_since",)),
)


def _ready(settings: Settings) -> str:
    return f"its key is set, and its files are kept in {settings.dagster_home / 'downloads' / 'dumps'}"


SOURCE = SourceDeclaration(
    name="dumps",
    about="ten years of the whole market in one file, from 同花顺's market dumps",
    world="real",
    needs=f"network and a free key, `{KEY_VARIABLE}`",
    offers=OFFERS,
    implementation="mystocks_dagster.sources.dumps.source:DumpsSource",
    hosts=(HOST,),
    host_rules=(HostRule(name="ths-dumps", hosts=("aicubes.cn",), gap=1.0, daily=20),),
    ready=_ready,
)
