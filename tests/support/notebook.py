"""Run Python as a notebook cell does: within a running event loop, `await` allowed at the top."""

import ast
import asyncio
import inspect
import sys
from pathlib import Path


async def cell(source: str, names: dict[str, object]) -> None:
    """Run one cell."""
    compiled = compile(source, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if compiled.co_flags & inspect.CO_COROUTINE:
        await eval(compiled, names)
    else:
        exec(compiled, names)


async def main(paths: list[str]) -> None:
    """Run the cells in order, sharing their names."""
    names: dict[str, object] = {"__name__": "__main__"}
    for path in paths:
        await cell(Path(path).read_text(encoding="utf-8"), names)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
