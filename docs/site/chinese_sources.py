"""The tables of the page on sources in Chinese, made from what the sources declare and the texts."""

from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.sources.declaration import Offer, SourceDeclaration
from mystocks_dagster.sources.docs import Compared, witnesses_in_words
from mystocks_dagster.sources.registry import declarations
from mystocks_dagster.texts.declarations import declared

_SOURCES = "| 名称 | 内容 | 世界 | 需要 | 提供 |\n| --- | --- | --- | --- | --- |\n"
_OFFERS = "\n| 表 | 数据源 | 日期 | 请求 | 何时齐全 | 交易所 | 说明 |\n| --- | --- | --- | --- | --- | --- | --- |\n"
_WITNESSES = "\n| 表 | 可互为旁证的数据源 | 比对 |\n| --- | --- | --- |\n"
_FROM_ACTIONS = "`prev_close` follows from corporate actions, where these are known; suspended days have no row"
_CHINESE_FROM_ACTIONS = "`prev_close` 由已知的分红送配推算；停牌日没有行"
#: What the catalogue does not have, because the program never says it.
_WORDS = {
    "an invented market under the real rules": "虚构的市场，遵守真实的交易规则",
    "network": "网络",
    "nothing": "无",
    f"ten years; {_FROM_ACTIONS}": f"十年；{_CHINESE_FROM_ACTIONS}",
    f"ten days; {_FROM_ACTIONS}": f"十天；{_CHINESE_FROM_ACTIONS}",
}
_PER = {
    "day": "每个交易日 {} 次",
    "symbol": "每只证券 {} 次",
    "period": "每个报告期 {} 次",
    "history": "全部历史 {} 次",
    "snapshot": "每次快照 {} 次",
}
_REMARKS = {"a sample": "（抽样）", "ex-days": "（除权除息日）", "": ""}
_COMPARED: dict[Compared, str] = {
    "by `compare_sources`": "由 `compare_sources` 比对",
    "not yet": "尚未比对",
    "none": "没有旁证",
}


def tables() -> str:
    """Return three Markdown tables: all sources, the offers of each, and the witnesses of each table."""
    sources = declarations()
    offers = [(offer, name) for name, source in sources.items() for offer in source.offers]
    order = list(TABLES)
    offers.sort(key=lambda one: order.index(one[0].table))
    return (
        _SOURCES
        + "".join(_source(name, source) for name, source in sources.items())
        + _OFFERS
        + "".join(_offer(name, offer) for offer, name in offers)
        + _WITNESSES
        + "".join(_witnesses(table) for table in TABLES)
    )


def _said(text: str) -> str:
    return _WORDS.get(text) or declared(text, "zh")


def _source(name: str, source: SourceDeclaration) -> str:
    world = "simulated:<seed>" if source.world == "simulated" else source.world
    offered = f"{len(source.tables)} 张表，见下表" if source.tables else _said(source.offers_note)
    return f"| `{name}` | {_said(source.about)} | `{world}` | {_said(source.needs)} | {offered} |\n"


def _offer(name: str, offer: Offer) -> str:
    days = {"all": "全部", "recent": "最近若干日", "latest": "仅最新"}[offer.past]
    if offer.past == "all" and offer.first:
        days = f"{offer.first} 起"
    cost = _PER[offer.unit].format(offer.requests) if offer.requests else "无"
    published = f"{offer.published:%H:%M}" if offer.published else ""
    return (
        f"| `{offer.table}` | `{name}` | {days} | {cost} | {published} | {'、'.join(offer.exchanges)} | "
        f"{_remarks(offer)} |\n"
    )


def _remarks(offer: Offer) -> str:
    unknown = "、".join(f"`{name}`" for name in offer.null_columns)
    named = "须指定证券代码" if offer.unit == "symbol" else ""
    note = _said(offer.note) if offer.note else ""
    return "；".join(filter(None, (named, note, f"{unknown} 未知" if unknown else "")))


def _witnesses(table: str) -> str:
    witnesses = witnesses_in_words(table)
    if not witnesses:
        return ""
    names = [f"`{name}`{_REMARKS[remark]}" for name, remark in witnesses.sources]
    names += [f"数据集 `{name}`" for name in witnesses.datasets]
    only = "仅 " if witnesses.compared == "none" else ""
    return f"| `{table}` | {only}{'、'.join(names)} | {_COMPARED[witnesses.compared]} |\n"
