"""Generate the table of sources in `docs/sources.md`: `python -m mystocks_dagster.sources.docs`."""

from pathlib import Path

from mystocks_dagster.sources.registry import declarations

PAGE = Path(__file__).parent.parent.parent / "docs" / "sources.md"
#: The table is the text between these lines.
BEGIN = "<!-- Generated from `sources/*/__init__.py` by `python -m mystocks_dagster.sources.docs`. -->\n\n"
END = "\n<!-- End of what is generated. -->\n"


def sources_markdown() -> str:
    """Return the Markdown table of all sources."""
    rows = [
        f"| `{name}` | {source.about} | `{source.world}{':<seed>' if source.world == 'simulated' else ''}` | "
        f"{source.needs} | {source.offers} |\n"
        for name, source in declarations().items()
    ]
    return "| name | what | world | needs | offers |\n| --- | --- | --- | --- | --- |\n" + "".join(rows)


def main() -> None:
    """Write the table into `docs/sources.md`."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + sources_markdown() + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
