"""The type of a catalogue entry: an indicator as a 通达信 formula with typed parameters and named columns."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

#: Longest window in bars: ten years of trading days.
LONGEST = 2500
#: A number as a part of a column's name, as `number_text` writes it.
_NUMBER = r"m?\d+(?:p\d+)?"


@dataclass(frozen=True)
class Parameter:
    """A parameter of an indicator.

    Attributes:
        name: Its name in tasks.yaml, in lower case; the formula has it in upper case.
        default: 通达信's default.
        about: What it is, in a few words.
        low: The smallest value.
        high: The largest value.
        whole: Whether it must be a whole number.
    """

    name: str
    default: float
    about: str
    low: float = 1
    high: float = LONGEST
    whole: bool = True


@dataclass(frozen=True, kw_only=True)
class Definition:
    """An indicator of the catalogue.

    Attributes:
        name: Its name in tasks.yaml, in upper case.
        title: Its Chinese name.
        about: What it shows, in one line.
        source: Where the formula is published.
        formula: The formula. Parameters stand in it by their names in upper case.
        parameters: The parameters. None, and one in `windows`, are possible too.
        windows: The default windows of an indicator that is one formula for each window; its formula has `N`.
        outputs: Output of the formula to the end of its column's name; an empty end means the prefix alone.
        prefix: The beginning of all columns; default: the name in lower case.
        numbered: The first parameter is always part of the columns' names: `cci14`.
        unit: The unit of the columns, as in the contract of a table.
        aliases: Other names by which tasks.yaml may call it.
        note: How it differs from other software, in full sentences; empty where nothing differs.
    """

    name: str
    title: str
    about: str
    source: str
    formula: str
    parameters: tuple[Parameter, ...] = ()
    windows: tuple[int, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""
    numbered: bool = False
    unit: str = ""
    aliases: tuple[str, ...] = ()
    note: str = ""

    @cached_property
    def defaults(self) -> dict[str, float]:
        """The default of each parameter by its name in tasks.yaml."""
        return {parameter.name: parameter.default for parameter in self.parameters}

    def columns(self, values: Mapping[str, float]) -> dict[str, str]:
        """Return the column of each output for some values of the parameters.

        Columns with the default parameters have short names. Other parameters are part of the name, so that no two
        choices share a column.

        Examples:
            >>> Definition(
            ...     name="X", title="", about="", source="", formula="", outputs={"D": "dif", "M": ""},
            ...     parameters=(Parameter("n", 12, ""), Parameter("w", 2, "", whole=False)),
            ... ).columns({"n": 10, "w": 2.5})
            {'D': 'x_10_2p5_dif', 'M': 'x_10_2p5'}
        """
        begin = self.prefix or self.name.lower()
        chosen = [values[name] for name in self._order]
        if self.numbered:
            begin += number_text(chosen.pop(0))
        defaults = [self.defaults.get(name) for name in self._order][1 if self.numbered else 0 :]
        if chosen != defaults:
            begin = "_".join([begin, *map(number_text, chosen)])
        return {output: f"{begin}_{end}" if end else begin for output, end in self.outputs.items()}

    def makes(self, column: str) -> bool:
        """Return whether a column has this indicator's values for some values of the parameters.

        Examples:
            >>> average = Definition(
            ...     name="MA", title="", about="", source="", formula="", windows=(5,), outputs={"M": ""}, numbered=True
            ... )
            >>> average.makes("ma7"), average.makes("ma7_x")
            (True, False)
        """
        return self._pattern.fullmatch(column) is not None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        begin, others = re.escape(self.prefix or self.name.lower()), len(self._order)
        if self.numbered:
            begin, others = begin + _NUMBER, others - 1
        ends = "|".join(f"_{re.escape(end)}" if end else "" for end in self.outputs.values())
        return re.compile(f"{begin}(?:(?:_{_NUMBER}){{{others}}})?(?:{ends})")

    @property
    def _order(self) -> Sequence[str]:
        return ["n"] if self.windows else list(self.defaults)


def number_text(value: float) -> str:
    """Return a number as a part of a column's name.

    Examples:
        >>> number_text(20.0), number_text(2.5), number_text(-1)
        ('20', '2p5', 'm1')
    """
    return f"{value:g}".replace(".", "p").replace("-", "m")
