"""Generate the catalogue in `docs/indicators.md`: `python -m mystocks_dagster.market.catalogue.docs`."""

from pathlib import Path

from mystocks_dagster.market.catalogue.calculation import of_catalogue
from mystocks_dagster.market.catalogue.definition import Definition
from mystocks_dagster.market.catalogue.registry import CATALOGUE, PARTS, definitions

PAGE = Path(__file__).parents[3] / "docs" / "indicators.md"
#: The catalogue is the text between these lines.
BEGIN = "<!-- Generated from `market/catalogue/` by `python -m mystocks_dagster.market.catalogue.docs`. -->\n\n"
END = "\n<!-- End of what is generated. -->\n"


def catalogue_markdown() -> str:
    """Return a Markdown table for each part of the catalogue, and the notes."""
    parts = [f"### {title}\n\n{_table(definitions(module))}" for title, module in PARTS.items()]
    notes = [f"* **{entry.name}.** {entry.note}\n" for entry in CATALOGUE.values() if entry.note]
    return "\n".join([*parts, f"### Differences from other software\n\n{''.join(notes)}"])


def _table(entries: list[Definition]) -> str:
    head = "| name | parameters | columns, unit | formula and source |\n| --- | --- | --- | --- |\n"
    return head + "".join(map(_row, entries))


def _row(entry: Definition) -> str:
    names = " ".join(f"`{name}`" for name in (entry.name, *entry.aliases))
    return (
        f"| {names} {entry.title}. {entry.about} | {_parameters(entry)} | {columns_of(entry)}, {entry.unit} "
        f"| {formula_of(entry)} {entry.source} |\n"
    )


def columns_of(entry: Definition) -> str:
    """Return the columns of an indicator with its default parameters, as code."""
    return " ".join(f"`{column}`" for item in of_catalogue(entry.name) for column in item.columns.values())


def formula_of(entry: Definition) -> str:
    """Return the formula of an indicator in one line, as code."""
    lines = entry.formula.replace(",COLORSTICK", "").split("\n")
    return f"`{' '.join(lines)}`"


def _parameters(entry: Definition) -> str:
    if entry.windows:
        return f"`windows` {', '.join(map(str, entry.windows))}"
    return ", ".join(f"`{item.name}` {item.default:g}: {item.about}" for item in entry.parameters)


def main() -> None:
    """Write the catalogue into the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}{catalogue_markdown()}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
