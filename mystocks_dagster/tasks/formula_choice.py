"""A formula as a parameter of a task: its text or its file, and values of its own parameters."""

import re
from abc import abstractmethod
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, ValidationError, model_validator

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.market.catalogue.calculation import Calculation, of_formula
from mystocks_dagster.market.catalogue.registry import NAMES
from mystocks_dagster.market.formulas.problems import FormulaError
from mystocks_dagster.strategies.formula_files import read_formula
from mystocks_dagster.taskfile.problems import shorten
from mystocks_dagster.taskfile.schedule import fault
from mystocks_dagster.tasks.located_faults import located

#: A name begins the names of columns: a letter (also Chinese), then letters, digits and `_`.
_NAME = re.compile(r"[^\W\d]\w{0,39}")


def _one_word(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise fault(
            f"name cannot be {shorten(name)}",
            "Write one word: a letter, also a Chinese one, then letters, digits or _, 40 at most.",
        )
    return name


class NamedFormula(BaseModel):
    """A formula of 通达信's language with a name; other keys are values of the formula's parameters."""

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        json_schema_extra={"oneOf": [{"required": ["formula"]}, {"required": ["file"]}]},
    )
    __pydantic_extra__: dict[str, Annotated[float, Strict()]]  # ty: ignore[incompatible-mutable-override]

    # In editors, whose patterns know no Chinese letters, the name is only shown to be one word.
    name: Annotated[str, AfterValidator(_one_word), Field(json_schema_extra={"pattern": r"^[^\s\d]\S{0,39}$"})]
    formula: str | None = Field(default=None, description="The formula: A:=EMA(C,12); B:EMA(A,5);")
    file: str | None = Field(default=None, description="A file in formulas/ beside tasks.yaml: formulas/mine.txt.")

    @model_validator(mode="after")
    def _has_a_formula(self) -> Self:
        if (self.formula is None) == (self.file is None):
            raise fault(f"{self.name} needs either formula or file", "Write one of the two.")
        self._check_names()
        try:
            self.check()
        except FormulaError as error:
            raise self._located(error) from None
        except InvalidParams as error:
            raise located(fault(str(error)), ("file",), self.file) from None
        return self

    @property
    def values(self) -> dict[str, float]:
        """The values of the formula's parameters."""
        return dict(self.__pydantic_extra__ or {})

    def text(self) -> str:
        """Return the formula.

        Raises:
            InvalidParams: Its file cannot be read.
        """
        return self.formula if self.formula is not None else read_formula(self.file or "")

    @abstractmethod
    def check(self) -> None:
        """Check the formula.

        Raises:
            FormulaError: It is wrong.
            InvalidParams: Its file cannot be read.
        """

    def _check_names(self) -> None:
        names: dict[str, str] = {}
        for name, value in self.values.items():
            if (first := names.setdefault(name.upper(), name)) != name:
                error = fault(f"{name} and {first} are one parameter", "Keep one of the two.")
                raise located(error, (name,), value)

    def _located(self, error: FormulaError) -> ValidationError:
        """Return the first problem of the formula, with its line and column there."""
        first, others = error.problems[0], len(error.problems) - 1
        place = f"{self.file}:{first.position.line}:{first.position.column}" if self.file else f"{first.position}"
        more = f" ({others} more in this formula)" if others else ""
        offset = first.position.column - 1
        span = (offset, first.width) if self.formula is not None and "\n" not in self.formula else None
        found = fault(f"formula of {self.name}, {place}: {first.message}{more}", first.hint, span)
        return located(found, ("file" if self.file else "formula",), self.file or self.formula)


class FormulaChoice(NamedFormula):
    """An own indicator: a formula, or a file in `formulas/`. Its columns are `<name>_<output>`, in lower case."""

    def check(self) -> None:
        """Check formula, name and parameters; errors as in `NamedFormula.check`."""
        if self.name.upper() in NAMES:
            error = fault(f"{self.name} is an indicator of the catalogue", "Choose another name for your formula.")
            raise located(error, ("name",), self.name)
        self.calculations()

    def calculations(self) -> tuple[Calculation, ...]:
        """Return what the entry asks for; errors as in `NamedFormula.check`."""
        return (of_formula(self.name, self.text(), self.values),)
