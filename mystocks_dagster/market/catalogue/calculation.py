"""An indicator with its parameters: the formula to compute, and the columns that hold its outputs."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from mystocks_dagster.market.catalogue.definition import Definition
from mystocks_dagster.market.catalogue.registry import definition
from mystocks_dagster.market.formulas.foresight import outputs_ahead
from mystocks_dagster.market.formulas.parser import parse_formula
from mystocks_dagster.market.formulas.syntax import Formula

#: How the description of a column begins whose values on a day depend on later days.
LOOKS_AHEAD = "looks ahead, only for charts; "


@dataclass(frozen=True, kw_only=True)
class Calculation:
    """One formula with values for its parameters, and the columns of its outputs.

    Attributes:
        name: The indicator's name.
        formula: The parsed formula; its parameters have the values to compute with.
        text: The formula as written.
        columns: Output of the formula to the column that holds it.
        unit: The unit of the columns, as in the contract of a table.
    """

    name: str
    formula: Formula
    text: str
    columns: Mapping[str, str]
    unit: str = ""

    @property
    def values(self) -> dict[str, float]:
        """The values of the parameters by name."""
        return {parameter.name: parameter.default for parameter in self.formula.parameters}

    @property
    def label(self) -> str:
        """The name with the values of its parameters.

        Examples:
            >>> [calculation.label for calculation in of_catalogue("MACD")]
            ['MACD(12,26,9)']
        """
        values = ",".join(f"{value:g}" for value in self.values.values())
        return f"{self.name}({values})" if values else self.name

    @property
    def about(self) -> Mapping[str, str]:
        """What the lake says of each column: the formula, and whether the values of a day depend on later days."""
        text, ahead = f"{self.name}: {' '.join(self.text.split())}", outputs_ahead(self.formula)
        return {column: f"{LOOKS_AHEAD if output in ahead else ''}{text}" for output, column in self.columns.items()}

    @cached_property
    def version(self) -> str:
        """A hash of all that decides the stored values: equal calculations have equal versions on every machine."""
        statements = [(line.name, line.hidden, line.expression) for line in self.formula.statements]
        parts = (statements, sorted(self.values.items()), sorted(self.columns.items()))
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def of_catalogue(
    name: str, values: Mapping[str, float] | None = None, windows: Sequence[int] = ()
) -> tuple[Calculation, ...]:
    """Return the calculations of an indicator of the catalogue.

    Args:
        name: Its name or alias.
        values: Values of its parameters; the others have 通达信's defaults.
        windows: The windows, for an indicator that has them; empty means 通达信's.

    Raises:
        KeyError: The catalogue has no such indicator.
    """
    entry = definition(name)
    if entry.windows:
        return tuple(_one(entry, {"n": window}) for window in windows or entry.windows)
    return (_one(entry, {**entry.defaults, **(values or {})}),)


def _one(entry: Definition, values: Mapping[str, float]) -> Calculation:
    bound = {name.upper(): float(value) for name, value in values.items()}
    formula = parse_formula(entry.formula, name=entry.name, parameters=bound)
    columns = entry.columns(values)
    return Calculation(name=entry.name, formula=formula, text=entry.formula, columns=columns, unit=entry.unit)


def of_formula(name: str, text: str, values: Mapping[str, float] | None = None) -> Calculation:
    """Return the calculation of a user's own formula; its columns are `<name>_<output>`, in lower case.

    Raises:
        FormulaError: The formula is wrong; the message has line and column.
    """
    formula = parse_formula(text, name=name, parameters=values)
    begin = name.lower()
    outputs = output_names(formula)
    ends = ["" if len(outputs) == 1 and output == "OUT1" else f"_{output.lower()}" for output in outputs]
    columns = {output: f"{begin}{end}" for output, end in zip(outputs, ends, strict=True)}
    return Calculation(name=name, formula=formula, text=text, columns=columns, unit="as the formula says")


def output_names(formula: Formula) -> tuple[str, ...]:
    """Return the names of a formula's outputs; one without a name is called after its place: `OUT1`, `OUT2`."""
    return tuple(line.name or f"OUT{number}" for number, line in enumerate(formula.outputs, start=1))


def distinct(calculations: Iterable[Calculation]) -> tuple[Calculation, ...]:
    """Return calculations without repetitions, in their order."""
    first: dict[str, Calculation] = {}
    for calculation in calculations:
        first.setdefault(calculation.version, calculation)
    return tuple(first.values())


def shared_column(calculations: Iterable[Calculation]) -> tuple[str, Calculation, Calculation] | None:
    """Return the first column that two different calculations would write, with both; None if there is none."""
    owners: dict[str, Calculation] = {}
    for calculation in distinct(calculations):
        for column in calculation.columns.values():
            owner = owners.setdefault(column, calculation)
            if owner is not calculation:
                return column, owner, calculation
    return None
