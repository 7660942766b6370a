"""The project's own modules that a file of strategies or indicators imports: their texts belong to its version."""

import ast
from collections.abc import Iterator
from pathlib import Path

from mystocks_dagster.plain_files import read_plain


def texts_of_imports(text: str, folder: Path) -> list[bytes]:
    """Return the texts of the modules in a folder that a Python text imports, and of those that these import.

    Installed packages are left out, and so are modules that cannot be read: running the file reports them.
    """
    texts: dict[Path, bytes] = {}
    waiting: list[str | bytes] = [text]
    while waiting:
        for path in _imported(waiting.pop(), folder):
            if path not in texts:
                try:
                    texts[path] = read_plain(path)
                except (OSError, ValueError):
                    continue
                waiting.append(texts[path])
    return [texts[path] for path in sorted(texts)]


def _imported(text: str | bytes, folder: Path) -> Iterator[Path]:
    """Yield the files in a folder that an import of a text may read."""
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    for name in sorted(names):
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            module = folder.joinpath(*parts[:depth])
            yield from (path for path in (module.with_suffix(".py"), module / "__init__.py") if path.is_file())
