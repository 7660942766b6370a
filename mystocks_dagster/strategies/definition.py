"""A strategy or an indicator as its file declares it, known without running the file."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, create_model

from mystocks_dagster.strategies.imports import texts_of_imports
from mystocks_dagster.strategies.lookback import bars_of

#: Keys of an entry in tasks.yaml that are no parameter of the strategy.
RESERVED = frozenset({"name", "label"})


class StrategyParams(BaseModel):
    """Base of the parameters of a strategy: frozen, and an unknown name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A strategy, or an indicator.

    Attributes:
        name: Its function's name, which tasks.yaml uses.
        file: The file that holds it.
        line: The line of the function, from 1.
        doc: Its docstring.
        reads: The columns that it needs.
        lookback: As in the decorator `strategy`.
        fields: Its parameters: type and default, or the field with the default.
        of_the_market: Whether it sees the rows of all symbols at once.
        text: The text of its file, which decides about its version.
        shipped: Whether it belongs to this package.
        outputs: The names of the outputs of an indicator; empty for a strategy.
    """

    name: str
    file: Path
    line: int
    doc: str
    reads: tuple[str, ...]
    lookback: str | int | None
    fields: Mapping[str, tuple[Any, Any]]
    of_the_market: bool
    text: str
    shipped: bool
    outputs: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return self.doc.partition("\n")[0]

    @property
    def place(self) -> str:
        """Its file and line."""
        return f"{self.file}:{self.line}"

    @cached_property
    def model(self) -> type[StrategyParams]:
        """The model of its parameters."""
        fields: Any = dict(self.fields)
        return create_model(self.name, __base__=StrategyParams, **fields)

    def bars_needed(self, params: Mapping[str, Any]) -> int | None:
        """Return the number of earlier bars that decide about a signal; None means all."""
        return None if self.lookback is None else bars_of(self.lookback, params)

    def version(self, params: Mapping[str, Any]) -> str:
        """Return a hash that changes with the text of the file, of what it imports from the project, and the values."""
        imported = [] if self.shipped else texts_of_imports(self.text, self.file.parent.parent)
        values = ", ".join(f"{name}={value!r}" for name, value in sorted(params.items()))
        content = (f"{self.text}\0{self.name}({values})".encode(), *imported)
        return hashlib.sha256(b"\0".join(content)).hexdigest()[:16]
