"""Generate the tables of sources and offers in `docs/sources.md`: `python -m mystocks_dagster.sources.docs`."""

from pathlib import Path
from typing import Literal, NamedTuple

from mystocks_dagster.datasets.reader import read_dataset
from mystocks_dagster.datasets.registry import SHIPPED
from mystocks_dagster.market.tables import BUILT_IN, TABLES
from mystocks_dagster.market.witnesses import COMPARED, WITNESS_TABLES
from mystocks_dagster.sources.declaration import Offer, SourceDeclaration
from mystocks_dagster.sources.registry import declarations
from mystocks_dagster.sources.witnesses import states_ex_days, witnesses_of

PAGE = Path(__file__).parent.parent.parent / "docs" / "sources.md"
#: The tables are the text between these lines.
BEGIN = "<!-- Generated from `sources/*/__init__.py` by `python -m mystocks_dagster.sources.docs`. -->\n\n"
END = "\n<!-- End of what is generated. -->\n"


def sources_markdown() -> str:
    """Return three Markdown tables: all sources, the offers of each, and the witnesses of each table."""
    rows = [
        f"| `{name}` | {source.about} | `{source.world}{':<seed>' if source.world == 'simulated' else ''}` | "
        f"{source.needs} | {_offered(source)} |\n"
        for name, source in declarations().items()
    ]
    offers = [
        (offer.table, f"| `{offer.table}` | `{name}` | {_past(offer)} | {_cost(offer)} | {_published(offer)} | "
         f"{', '.join(offer.exchanges)} | {_remarks(offer)} |\n")
        for name, source in declarations().items()
        for offer in source.offers
    ]  # fmt: skip
    order = list(TABLES)
    offers.sort(key=lambda row: order.index(row[0]))
    return (
        "| name | what | world | needs | offers |\n| --- | --- | --- | --- | --- |\n"
        + "".join(rows)
        + "\n| table | source | days | requests | complete from | exchanges | remarks |\n"
        + "| --- | --- | --- | --- | --- | --- | --- |\n"
        + "".join(row for _, row in offers)
        + "\n| table | sources that can witness each other | compared |\n| --- | --- | --- |\n"
        + "".join(_witnesses(table) for table in TABLES)
    )


#: Whether the witnesses of a table are compared; `none` if there is only one.
Compared = Literal["by `compare_sources`", "not yet", "none"]


class Witnesses(NamedTuple):
    """What can witness a table.

    Attributes:
        sources: Names of sources, each with a remark: `a sample`, `ex-days`, or empty.
        datasets: Names of shipped datasets.
        compared: Whether they are compared.
    """

    sources: tuple[tuple[str, str], ...]
    datasets: tuple[str, ...]
    compared: Compared


def witnesses_in_words(table: str) -> Witnesses | None:
    """Return what can witness a table; None if no real source offers it."""
    witnesses = witnesses_of(table)
    if not witnesses:
        return None
    datasets = tuple(_witnessing(table))
    if len(witnesses) == 1 and table not in WITNESS_TABLES and not datasets:
        return Witnesses(((witnesses[0].source, ""),), (), "none")
    sampled = table in COMPARED
    sources = [(item.source, "" if item.in_bulk or not sampled else "a sample") for item in witnesses]
    sources += [(name, "ex-days") for name in states_ex_days(table)]
    return Witnesses(tuple(sources), datasets, "by `compare_sources`" if sampled or datasets else "not yet")


def _witnesses(table: str) -> str:
    witnesses = witnesses_in_words(table)
    if not witnesses:
        return ""
    names = [f"`{name}`{f' ({remark})' if remark else ''}" for name, remark in witnesses.sources]
    names += [f"dataset `{name}`" for name in witnesses.datasets]
    only = " only" if witnesses.compared == "none" else ""
    return f"| `{table}` | {', '.join(names)}{only} | {witnesses.compared} |\n"


def _witnessing(table: str) -> list[str]:
    """Return the shipped datasets that are a witness of a table."""
    shipped = (read_dataset(path, BUILT_IN) for path in sorted(SHIPPED.glob("*.yaml")))
    return [item.name for item in shipped if item.spec.witness and item.spec.witness.table == table]


def _offered(source: SourceDeclaration) -> str:
    count = len(source.tables)
    return f"{count} {'table' if count == 1 else 'tables'}, see below" if count else source.offers_note


def _past(offer: Offer) -> str:
    if offer.past == "all":
        return f"all since {offer.first}" if offer.first else "all"
    return "the newest ones" if offer.past == "recent" else "the latest only"


def _cost(offer: Offer) -> str:
    if not offer.requests:
        return "none"
    units = {"day": "trading day", "symbol": "symbol", "period": "report period", "history": "whole past"}
    return f"{offer.requests} per {units.get(offer.unit, offer.unit)}"


def _published(offer: Offer) -> str:
    return f"{offer.published:%H:%M}" if offer.published else ""


def _remarks(offer: Offer) -> str:
    unknown = ", ".join(f"`{name}`" for name in offer.null_columns)
    remarks = (
        "for named symbols" if offer.unit == "symbol" else "",
        offer.note,
        f"{unknown} unknown" if unknown else "",
    )
    return "; ".join(filter(None, remarks))


def main() -> None:
    """Write the tables into `docs/sources.md`."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + sources_markdown() + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
