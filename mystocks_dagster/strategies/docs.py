"""The part of docs/strategies.md that is generated: every shipped strategy with its parameters."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mystocks_dagster.strategies.definition import Definition
from mystocks_dagster.strategies.registry import strategies

PAGE = Path(__file__).parents[2] / "docs" / "strategies.md"
BEGIN, END = "<!-- strategies -->\n", "<!-- end of strategies -->\n"
_SIGNS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def strategies_markdown() -> str:
    """Return the shipped strategies as Markdown."""
    shipped = [definition for definition in strategies().values() if definition.shipped]
    return "\n".join(line for definition in shipped for line in _lines(definition))


def bounds(schema: dict[str, Any]) -> str:
    """Return the values that a parameter may have, from its JSON schema."""
    if choices := schema.get("enum"):
        return ", ".join(map(str, choices))
    return ", ".join(f"{sign} {schema[key]}" for key, sign in _SIGNS.items() if key in schema)


def _lines(definition: Definition) -> Iterator[str]:
    yield f"### {definition.name}\n"
    yield f"{definition.doc}\n"
    columns = ", ".join(f"`{name}`" for name in definition.reads)
    history = "the whole history" if definition.lookback is None else f"`{definition.lookback}` earlier bars"
    yield f"Reads {columns}; a new day needs {history}.\n"
    if properties := definition.model.model_json_schema().get("properties"):
        yield "| parameter | default | values | meaning |\n| --- | --- | --- | --- |"
        for name, schema in properties.items():
            yield f"| `{name}` | {schema.get('default', '')} | {bounds(schema)} | {schema.get('description', '')} |"
        yield ""


def main() -> None:
    """Write the strategies into `docs/strategies.md`."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + strategies_markdown() + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
