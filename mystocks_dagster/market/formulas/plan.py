"""The steps in which formulas are computed: each common expression once, and what each step carries from day to day."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.market.formulas.syntax import Binary, Call, Expression, Formula, Name, Number, Text, Unary
from mystocks_dagster.market.kernels.own import own
from mystocks_dagster.market.kernels.primitive import Primitive
from mystocks_dagster.market.kernels.registry import PRIMITIVES

#: A value while formulas are computed: the number of a slot that holds a series, or a number.
Operand = int | float


@dataclass(frozen=True)
class Step:
    """One primitive with its arguments.

    Attributes:
        primitive: What computes it.
        series: The series arguments: slots, or numbers where a series never changes.
        numbers: The other arguments.
        key: The function, with hashes of the arguments; equal keys are equal values.
        state_size: Values of one symbol's state; None if it cannot be carried on.
        looks_back: Whether it or one of its arguments depends on other rows.
        done_with: Slots that no later step needs.
    """

    primitive: Primitive
    series: tuple[Operand, ...]
    numbers: tuple[float, ...]
    key: str
    state_size: int | None
    done_with: tuple[int, ...] = ()

    @cached_property
    def version(self) -> str:
        """A short name of the expression, under which its state is kept."""
        return _hash(self.key)


@dataclass(frozen=True)
class Plan:
    """Steps whose results are the outputs of some formulas.

    Attributes:
        bars: The columns of the bars that are read; they are the first slots.
        steps: In order; step `i` fills slot `len(bars) + i`.
        outputs: Slot or number of each output.
        needs: For each output, the versions of all steps with a state that it depends on.
        versions: For each output, a hash of the expression that gives it.
    """

    bars: tuple[str, ...]
    steps: tuple[Step, ...]
    outputs: Mapping[str, Operand]
    needs: Mapping[str, frozenset[str]]
    versions: Mapping[str, str]

    @property
    def carried(self) -> bool:
        """Whether each step can be carried on from a state."""
        return all(step.state_size is not None for step in self.steps)

    @property
    def states(self) -> dict[str, int]:
        """Size of a symbol's state by the version of its step."""
        return {step.version: step.state_size for step in self.steps if step.state_size}


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]


@lru_cache(maxsize=256)
def plan(*formulas: tuple[Formula, tuple[tuple[str, float], ...], tuple[tuple[str, str], ...]]) -> Plan:
    """Plan formulas together, each `(formula, parameters, columns)`.

    Args:
        formulas: A formula, values for its parameters (others have their default), and pairs of an output's name and
            the name that its column gets; other outputs are not computed.

    Raises:
        UnknownName: A name or function is not known, or an output does not exist.
    """
    builder = _Builder()
    outputs: dict[str, Operand] = {}
    for formula, parameters, columns in formulas:
        results = builder.formula(formula, dict(parameters))
        for output, column in columns:
            if output not in results:
                raise UnknownName(f"{formula.name} has no output {output!r}; it has {', '.join(results)}.")
            outputs[column] = results[output]
    return builder.plan(outputs)


def output_names(formula: Formula) -> tuple[str, ...]:
    """Return the names of a formula's outputs; one without a name is called after its place: `OUT1`, `OUT2`."""
    return tuple(statement.name or f"OUT{number}" for number, statement in enumerate(formula.outputs, start=1))


@dataclass
class _Builder:
    bars: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    keys: dict[str, int] = field(default_factory=dict)

    def formula(self, formula: Formula, parameters: Mapping[str, float]) -> dict[str, Operand]:
        """Return the operands of a formula's outputs, after adding the steps of all statements that they need."""
        known: dict[str, Operand] = {item.name: parameters.get(item.name, item.default) for item in formula.parameters}
        known = {name: float(value) for name, value in known.items()}
        results: dict[str, Operand] = {}
        names = iter(output_names(formula))
        for statement in formula.statements:
            value = self._value(statement.expression, known)
            if statement.name:
                known[statement.name] = value
            if not statement.hidden:
                results[next(names)] = value
        return results

    def _value(self, expression: Expression, known: Mapping[str, Operand]) -> Operand:
        match expression:
            case Number(value=value):
                return float(value)
            case Name(name=name):
                return known[name] if name in known else self._bars(name)
            case Unary(operator=operator, operand=operand):
                name = "NEGATE" if operator == "-" else operator
                return self._apply(name, [self._value(operand, known)])
            case Binary(operator=operator, left=left, right=right):
                return self._apply(operator, [self._value(left, known), self._value(right, known)])
            case Call(function=function, arguments=arguments):
                return self._apply(function, [self._value(argument, known) for argument in arguments])
            case Text(value=value, position=position):
                raise UnknownName(f"{position}: the text {value!r} has no place in a calculation.")
        raise TypeError(f"{expression!r} is not an expression")

    def _bars(self, name: str) -> int:
        # Slots of bars are negative while the plan grows, so that those of steps do not move.
        if name not in self.bars:
            self.bars.append(name)
        return -1 - self.bars.index(name)

    def _apply(self, name: str, arguments: Sequence[Operand]) -> Operand:
        primitive = _fitting(name, arguments)
        series = tuple(value for value, kind in zip(arguments, primitive.kinds, strict=True) if kind == "x")
        numbers = tuple(float(value) for value, kind in zip(arguments, primitive.kinds, strict=True) if kind == "n")
        if primitive.elementwise and all(isinstance(value, float) for value in arguments):
            return float(primitive.run(*(np.float64(value) for value in arguments)))
        key = f"{name}({','.join(self._key(value) for value in arguments)})"
        if key not in self.keys:
            self.keys[key] = len(self.steps)
            size = 0 if primitive.elementwise else primitive.state_size(*numbers)
            self.steps.append(Step(primitive, series, numbers, key, size))
        return self.keys[key]

    def _key(self, operand: Operand) -> str:
        if isinstance(operand, float):
            return repr(operand)
        # A whole expression would double in length with each step that uses one twice.
        return self.bars[-1 - operand] if operand < 0 else self.steps[operand].version

    def plan(self, outputs: Mapping[str, Operand]) -> Plan:
        """Return the plan with only the steps that the outputs need, in slots counted from the bars."""
        needed = _closure([slot for slot in outputs.values() if isinstance(slot, int)], self.steps)
        order = [index for index in range(len(self.steps)) if index in needed]
        bars = [index for index in range(len(self.bars)) if -1 - index in needed]
        slots: dict[Operand, int] = {-1 - index: place for place, index in enumerate(bars)}
        slots |= {index: len(bars) + place for place, index in enumerate(order)}
        place = {column: slots[slot] if isinstance(slot, int) else slot for column, slot in outputs.items()}
        return Plan(
            bars=tuple(self.bars[index] for index in bars),
            steps=_with_last_uses([self.steps[index] for index in order], slots, {*place.values()}),
            outputs=place,
            needs={column: self._states_of(slot) for column, slot in outputs.items()},
            versions={column: _hash(self._key(slot)) for column, slot in outputs.items()},
        )

    def _states_of(self, slot: Operand) -> frozenset[str]:
        if isinstance(slot, float):
            return frozenset()
        used = (self.steps[index] for index in _closure([slot], self.steps) if index >= 0)
        return frozenset(step.version for step in used if step.state_size != 0)


def _closure(slots: Sequence[int], steps: Sequence[Step]) -> set[int]:
    """Return the slots and all those on which they depend."""
    needed: set[int] = set()
    waiting = list(slots)
    while waiting:
        slot = waiting.pop()
        if slot not in needed:
            needed.add(slot)
            if slot >= 0:
                waiting.extend(value for value in steps[slot].series if isinstance(value, int))
    return needed


def _with_last_uses(steps: Sequence[Step], slots: Mapping[Operand, int], kept: set[Operand]) -> tuple[Step, ...]:
    """Return the steps in final slots, each with the slots that may be forgotten after it."""
    placed = []
    later: set[Operand] = set(kept)
    for step in reversed(steps):
        series = tuple(slots[value] if isinstance(value, int) else value for value in step.series)
        used = {value for value in series if isinstance(value, int)}
        done = tuple(sorted(value for value in used if value not in later))
        later |= used
        placed.append(Step(step.primitive, series, step.numbers, step.key, step.state_size, done))
    return tuple(reversed(placed))


def _fitting(name: str, arguments: Sequence[Operand]) -> Primitive:
    """Return the first way to compute a function whose numbers are numbers here."""
    ways = PRIMITIVES.get(name) or own(name)
    for primitive in ways:
        if len(primitive.kinds) == len(arguments) and all(
            kind == "x" or isinstance(value, float) for kind, value in zip(primitive.kinds, arguments, strict=True)
        ):
            return primitive
    if not ways:
        raise UnknownName(f"There is no function {name}.")
    raise UnknownName(f"{name} cannot be computed with these arguments: their number is wrong, or a window varies.")
