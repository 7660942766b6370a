"""The public functions of akshare and their arguments, read from its source without importing it.

Importing akshare takes seconds and 100 MB, and `mystocks check` needs the names only.
"""

import ast
import re
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@cache
def public_functions() -> Mapping[str, str]:
    """Return the module of each function that `akshare/__init__.py` exports; empty if akshare is not installed."""
    folder = _folder()
    if folder is None:
        return {}
    imports = (node for node in _tree(folder / "__init__.py").body if isinstance(node, ast.ImportFrom))
    return {
        alias.name: node.module
        for node in imports
        if node.module and node.module.startswith("akshare.")
        for alias in node.names
        if _NAME.fullmatch(alias.name) and alias.asname is None
    }


@cache
def arguments(function: str) -> tuple[str, ...] | None:
    """Return the names of a function's arguments; None if they cannot be read."""
    folder, module = _folder(), public_functions().get(function)
    if folder is None or module is None:
        return None
    path = folder.joinpath(*module.split(".")[1:]).with_suffix(".py")
    for node in _tree(path).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return tuple(argument.arg for argument in (*node.args.args, *node.args.kwonlyargs))
    return None


def _tree(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return ast.Module([], [])


def _folder() -> Path | None:
    spec = find_spec("akshare")
    return Path(spec.origin).parent if spec and spec.origin else None
