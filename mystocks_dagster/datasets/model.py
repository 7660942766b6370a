"""The fields of a dataset file; their descriptions are the reference in docs/datasets.md."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, Strict

from mystocks_dagster.market.publication import Publication
from mystocks_dagster.market.table import Domain
from mystocks_dagster.taskfile.schedule import Flag, Integer, StrictModel, fault

#: What a value is, and how it is read.
ColumnType = Literal["symbol", "stock", "code", "name", "text", "number", "count", "day", "moment", "flag"]
Severity = Literal["row", "value", "check"]

NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")


def _name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise fault(f"{value!r} is not a name", "Write small letters, digits and _, a letter first.")
    return value


def _moment(value: str) -> str:
    try:
        Publication.parse(value)
    except ValueError as error:
        raise fault(str(error), 'Write "18:00" or "+1 09:00", in quotes.') from None
    return value


def _texts(value: Any) -> Any:
    """Accept one text for a list of one, and words separated by blanks for a list of keys."""
    return (value,) if isinstance(value, str) else value


def _words(value: Any) -> Any:
    return tuple(value.split()) if isinstance(value, str) else value


Name = Annotated[str, AfterValidator(_name)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Number = Annotated[float, Strict()]


class ColumnSpec(StrictModel):
    """A column of the table, and the column of the source that it is read from."""

    source: Texts = Field(
        default=(), description="Name of the source's column; a list if the calls name it in different ways."
    )
    value: str | None = Field(
        default=None,
        description="Instead of `source`: a text with placeholders, such as `{day}` or the name of an `each`.",
    )
    type: ColumnType | None = Field(
        default=None,
        description="`symbol` (a security, in any notation), `stock` (an A share; rows of other securities are left "
        "out), `code` (six digits), `name` (half-width, without blanks), `text`, `number`, `count` (a whole number), "
        "`day`, `moment` (Shanghai) or `flag`.",
    )
    unit: str | None = Field(default=None, description="Unit or meaning, such as CNY, shares or %.")
    optional: Flag = Field(
        default=False, description="Whether the value may be unknown; if not, a row without it is set aside."
    )
    scale: Number = Field(default=1, description="Factor from the source's unit to ours: 100 for lots, 10000 for 万.")
    default: Number | None = Field(
        default=None, description="The number instead of an unknown one, such as 0 for a part that there is not."
    )
    key: str | None = Field(
        default=None, description="The upstream's key behind akshare's label; its values are checked to be numbers."
    )


class CallSpec(StrictModel):
    """A call of an akshare function."""

    function: str = Field(description="Public function of akshare.", examples=["stock_dzjy_mrmx"])
    arguments: dict[str, str | int | float] = Field(
        default={}, description="Its arguments; text may have placeholders: `{day:%Y%m%d}`, `{period}`, `{symbol}`."
    )
    each: dict[Name, Texts] = Field(
        default={},
        description="Placeholders of your own: a list of values, or `TABLE.COLUMN` for the newest values of a stored "
        "table. The function is called for each value.",
    )
    lacks: Texts = Field(default=(), description="Columns (our names) that this call does not have.")
    exchange: Literal["SH", "SZ", "BJ"] | None = Field(
        default=None,
        description="The exchange of bare codes of this call: the code of an index is also that of a stock.",
    )
    keys: Words = Field(
        default=(),
        description="The upstream's keys in the order that akshare relies on where it names columns by position; as "
        "words in one text.",
    )


class FilesSpec(StrictModel):
    """Files below the project's folder."""

    pattern: str = Field(
        description="Path with `*` below the project's folder, CSV or Parquet; may have `{day}`.",
        examples=["incoming/ratings-*.csv"],
    )


class RuleSpec(StrictModel):
    """A rule about the values of a row."""

    holds: str = Field(description="The condition that every row obeys; see the grammar.", examples=["amount >= 0"])
    otherwise: Severity = Field(
        default="row",
        description="`row`: the row is set aside. `value`: one column becomes unknown. `check`: the row is stored, and "
        "the table's check in Dagster warns.",
    )
    column: str | None = Field(default=None, description="With `otherwise: value`, the column that becomes unknown.")
    about: str | None = Field(default=None, description="The fault of a row that breaks it, in words.")


class Witness(StrictModel):
    """A second source of the same numbers."""

    table: str = Field(description="A table of the lake.", examples=["daily_bars"])
    key: list[str] = Field(
        default=[],
        description="Columns of both tables by which rows are matched, the newest version of each; without it both "
        "have the same key.",
    )
    columns: dict[str, str] = Field(description="Our columns, and those of that table.", min_length=1)
    same_rows: bool = Field(default=False, description="A row that only one of the tables has is a difference.")
    within: Annotated[Number, Field(ge=0)] = Field(
        default=0.000001, description="Largest difference that counts as agreement, as a share of the larger number."
    )
    sample: Annotated[Integer, Field(ge=1)] | None = Field(
        default=None,
        description="For a source that is asked by symbol: the number of symbols of that table that are asked for if "
        "the task names none, other ones on each trading day.",
    )
    exchanges: list[Literal["SH", "SZ", "BJ"]] = Field(
        default=["SH", "SZ", "BJ"], min_length=1, description="The exchanges whose symbols the sample has."
    )


def _rule(value: Any) -> Any:
    return {"holds": value} if isinstance(value, str) else value


class DatasetFile(StrictModel):
    """A dataset: one table, where its rows come from, and when."""

    table: str | None = Field(
        default=None,
        description="A table that exists already and is filled by this dataset; without it, this file declares the "
        "table of its own name.",
    )
    title: str | None = Field(default=None, description="Chinese name of the table.")
    about: str | None = Field(default=None, description="The content in one line of English.")
    about_zh: str | None = Field(default=None, description="The content in one line of Chinese.")
    domain: Domain | None = Field(default=None, description="Subject of the table, which is its asset group.")
    key: Texts = Field(default=(), description="The columns that identify a row.")
    by_day: Flag = Field(
        default=False,
        description="Whether rows belong to trading days, by the column `date`: then days are replaced as a whole, and "
        "are partitions in Dagster.",
    )
    day: str | None = Field(default=None, description="The column by which rows are newest, if `by_day` is not set.")
    known_by: str | None = Field(
        default=None,
        description="The column of type day since which a row has been known, for reading as of a day; `date` if "
        "`by_day` is set, else none.",
    )
    version_key: Texts = Field(
        default=(),
        description="The columns in which the versions of one fact agree: as of a day, only the newest rows of each "
        "are read, such as the newest list of an index.",
    )
    columns: dict[Name, ColumnSpec] = Field(description="The columns in stored order.", min_length=1)
    unused: Texts = Field(
        default=(),
        description="Columns of the source that are known and not used; any other column is an error. `*` stands for "
        "all others, for a source whose columns depend on the company.",
    )
    call: tuple[CallSpec, ...] | None = Field(
        default=None, description="A call of akshare, or a list of calls whose rows are put together."
    )
    files: FilesSpec | None = Field(default=None, description="Files to read, instead of `call`.")
    available_after: Annotated[str, AfterValidator(_moment)] = Field(
        default="16:00",
        description="Time of day in Shanghai from which a trading day's rows are there, or `+1 09:00` for the next "
        "trading day. Before it nothing is asked.",
        examples=["18:00"],
    )
    reach: Annotated[Integer, Field(ge=1)] | None = Field(
        default=None, description="How many of the newest trading days the source has; all if unset."
    )
    window: tuple[Integer, Integer] | None = Field(
        default=None,
        description="With `{start}` and `{end}`: calendar days before and after the latest trading day.",
    )
    may_be_empty: Flag = Field(default=False, description="Whether a day without rows is complete.")
    rules: dict[Name, Annotated[RuleSpec, BeforeValidator(_rule)]] = Field(
        default={}, description="Value rules by name: a condition, or a mapping with `holds`."
    )
    witness: Witness | None = Field(default=None, description="A second source of the same numbers.")

    @property
    def placeholders(self) -> frozenset[str]:
        """The names of all placeholders in arguments and pattern."""
        from mystocks_dagster.datasets.placeholders import names_in

        texts = [value for call in self.call or () for value in call.arguments.values() if isinstance(value, str)]
        texts += [self.files.pattern] if self.files else []
        return frozenset(name for text in texts for name in names_in(text))

    @property
    def asked_by(self) -> Literal["day", "range", "period", "symbol", "whole"]:
        """What one call covers: a trading day, several days, a report period, a symbol, or all that the source has."""
        names = self.placeholders
        if "period" in names:
            return "period"
        if "day" in names:
            return "day"
        if names & {"start", "end"}:
            return "range"
        return "symbol" if "symbol" in names else "whole"

    @property
    def is_present_only(self) -> bool:
        """Whether the source states no day, so that its rows are those of the latest session."""
        stamped = (column.value for column in self.columns.values())
        return self.asked_by == "whole" and any("{day" in (value or "") for value in stamped)


def with_calls(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of a file with a single `call` as a list of one."""
    call = data.get("call")
    return {**data, "call": [call]} if isinstance(call, dict) else dict(data)
