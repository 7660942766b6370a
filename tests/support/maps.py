"""The maps of the package in README.md and CONTRIBUTING.md, made from the import contract and the docstrings.

`.venv/bin/python tests/support/maps.py` writes them again; tests/docs/test_maps.py compares.
"""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "mystocks_dagster"
_BEGIN, _END = "<!-- map -->\n", "<!-- end of map -->"


def layers(root: Path = ROOT) -> list[list[str]]:
    """Return the names in each layer of the contract, the highest layer first."""
    configuration = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = configuration["tool"]["importlinter"]["contracts"]
    layered = next(contract for contract in contracts if contract.get("exhaustive"))
    return [[name.strip() for name in layer.split("|")] for layer in layered["layers"]]


def description(path: Path) -> str:
    """Return the first line of the docstring of a module or package, without its full stop.

    Raises:
        ValueError: It has none.
    """
    file = path / "__init__.py" if path.is_dir() else path
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    if not docstring:
        raise ValueError(f"{file.relative_to(ROOT)}: write a docstring of one line that says what the package is")
    return docstring.splitlines()[0].rstrip(".")


def rooms(name: str) -> Iterator[Path]:
    """Yield a module, or a package and the packages in it."""
    folder = ROOT / PACKAGE / name
    if not folder.is_dir():
        yield folder.with_suffix(".py")
        return
    yield folder
    for inner in sorted(folder.rglob("__init__.py")):
        if inner.parent != folder:
            yield inner.parent


def label(path: Path) -> str:
    """Return how a map writes a module or package."""
    return f"`{path.relative_to(ROOT).as_posix()}{'/' if path.is_dir() else ''}`"


def packages() -> list[Path]:
    """Return the packages of the highest level, in the order of the contract."""
    return [
        path
        for layer in layers()
        for name in layer
        for path in rooms(name)
        if path.parent.name == PACKAGE
        if path.is_dir()
    ]


def contributors_map() -> str:
    """Return each module of the contract and each package, with the number of its layer."""
    rows = [
        f"| {number if path.parent.name == PACKAGE else ''} | {label(path)} | {description(path)} |"
        for number, layer in enumerate(layers(), 1)
        for name in layer
        for path in rooms(name)
    ]
    return "\n".join(("| layer | module or package | what it is |", "| --- | --- | --- |", *rows))


def readers_map() -> str:
    """Return the packages, with what a user touches before and after them."""
    rows = [f"| {label(path)} | {description(path)} |" for path in packages()]
    docs = "references, [the contract and the tests that prove it](docs/contract.md), and [decisions](docs/decisions)"
    first, last = "| `tasks.yaml` | what runs |", f"| `docs/` | {docs} |"
    return "\n".join(("| path | what |", "| --- | --- |", first, *rows, last))


MAPS = {"README.md": readers_map, "CONTRIBUTING.md": contributors_map}


def parts(name: str) -> tuple[str, str, str]:
    """Return a file of the root in three parts: before its map, the map, and after it.

    Raises:
        ValueError: The lines that enclose the map are missing.
    """
    before, begin, rest = (ROOT / name).read_text(encoding="utf-8").partition(_BEGIN)
    inside, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{name}: the lines {_BEGIN} and {_END} are missing")
    return before + begin, inside.strip("\n"), "\n" + end + after


def main() -> None:
    """Write the maps."""
    for name, made in MAPS.items():
        before, _, after = parts(name)
        (ROOT / name).write_text(before + made() + after, encoding="utf-8")


if __name__ == "__main__":
    main()
