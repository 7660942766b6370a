"""The grammar: statements, expressions by precedence, and where a text breaks it.

From weak to strong: OR, AND, comparisons, + and -, * and /, then - and NOT before a value.
"""

from collections.abc import Sequence
from itertools import pairwise

from mystocks_dagster.excerpts import suggest
from mystocks_dagster.market.formulas.bars import canonical
from mystocks_dagster.market.formulas.drawing import ATTRIBUTES, DRAWING_FUNCTIONS, is_attribute
from mystocks_dagster.market.formulas.problems import FormulaProblem
from mystocks_dagster.market.formulas.syntax import Binary, Call, Expression, Name, Number, Statement, Text, Unary
from mystocks_dagster.market.formulas.tokens import Token, unknown_character

_COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
_STRENGTH = {"OR": 1, "AND": 2, **dict.fromkeys(_COMPARISONS, 3), "+": 4, "-": 4, "&": 4, "*": 5, "/": 5}
#: A statement of 交易系统, by which signals in a row are one; it changes no value.
_AUTOFILTER = "AUTOFILTER"
#: A colour after an expression, with three numbers in brackets.
_COLOUR = "RGB"
#: Brackets in brackets.
_DEEPEST_NESTING = 50
#: The longest way from an expression to a value in it; A+B+C has 3. Whatever walks a tree may thus recurse.
_HIGHEST_TREE = 150
#: A text with more problems is something else than a formula.
_MOST_PROBLEMS = 20


class _Broken(Exception):
    """The statement cannot be read beyond this problem."""

    def __init__(self, problem: FormulaProblem) -> None:
        self.problem = problem


class StatementParser:
    """Reads the statements of a formula; after a problem it goes on with the next statement."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._index = 0
        self._drawing = 0
        self._defined = {word.value for word, following in pairwise(tokens) if following.value in (":", ":=")}
        self.problems: list[FormulaProblem] = []

    def parse(self) -> tuple[list[Statement], list[Call]]:
        """Return the statements and the drawings."""
        statements: list[Statement] = []
        drawings: list[Call] = []
        while self._current.kind != "end" and len(self.problems) < _MOST_PROBLEMS:
            if self._accept(";"):
                continue
            self._drawing = 0
            try:
                statement = self._statement()
            except _Broken as broken:
                self.problems.append(broken.problem)
                self._skip_statement()
                continue
            match statement.expression:
                case Call(function=function) as call if function in DRAWING_FUNCTIONS:
                    drawings.append(call)
                case Name(name=name) if name == _AUTOFILTER not in self._defined:
                    continue
                case _:
                    statements.append(statement)
        return statements, drawings

    @property
    def _current(self) -> Token:
        return self._tokens[self._index]

    def _next(self) -> Token:
        token = self._current
        if token.kind != "end":
            self._index += 1
        return token

    def _accept(self, symbol: str) -> bool:
        if self._current.kind == "symbol" and self._current.value == symbol:
            self._index += 1
            return True
        return False

    def _skip_statement(self) -> None:
        while self._current.kind != "end" and not self._accept(";"):
            self._index += 1

    def _statement(self) -> Statement:
        begin = self._current
        name, hidden = self._name()
        expression, _ = self._expression(1, 0)
        attributes = self._attributes()
        if not self._accept(";") and self._current.kind != "end":
            raise self._unexpected_end_of_statement()
        return Statement(name, expression, hidden, attributes, begin.position)

    def _name(self) -> tuple[str | None, bool]:
        """Read `NAME:=` or `NAME:`; a statement without them is an output without a name."""
        following = self._tokens[self._index + 1] if self._current.kind != "end" else self._current
        if following.kind != "symbol" or following.value not in (":", ":="):
            return None, False
        name = self._next()
        if name.kind != "name":
            raise _broken(name, f"{name} is not a name", "A statement is NAME:=expression; or NAME:expression;")
        return name.value, self._next().value == ":="

    def _attributes(self) -> tuple[str, ...]:
        attributes: list[str] = []
        # 通达信 does without the comma: STICKLINE(C>O,C,O,2,0)COLORRED;
        while self._accept(",") or self._begins_attribute():
            word = self._next()
            if word.value == _COLOUR and self._current.value == "(":
                self._name_or_call(word, 0)
            elif self._current.value == "(" and word.kind == "name":
                hint = "Parameters are INPUT: N(12,1,100), M(9,1,50); values of a statement follow a ;"
                raise _broken(word, f"{word} is not a way of drawing", hint)
            elif word.kind != "name" or not is_attribute(word.value):
                raise _broken(word, f"{word} is not a way of drawing", suggest(word.value, ATTRIBUTES))
            attributes.append(word.value)
        return tuple(attributes)

    def _begins_attribute(self) -> bool:
        word = self._current
        return word.kind == "name" and (is_attribute(word.value) or word.value == _COLOUR)

    def _unexpected_end_of_statement(self) -> _Broken:
        word = self._current
        if word.value == ")":
            return _broken(word, "')' closes no bracket", "")
        if word.value in (":", ":="):
            return _broken(word, f"{word} follows an expression", "A name stands alone before : or :=; is a ; missing?")
        return _broken(word, f"expected an operator or ; before {word}", "A statement ends with ;")

    def _expression(self, weakest: int, depth: int) -> tuple[Expression, int]:
        """Read operands joined by operators of at least a strength.

        Returns:
            The expression, and the depth of its tree.
        """
        left, height = self._operand(depth)
        compared = False
        while (strength := self._strength()) >= weakest:
            operator = self._next()
            if compared and operator.value in _COMPARISONS:
                hint = "Write A<B AND B<C, or (A<B)<C if that is meant."
                raise _broken(operator, "two comparisons in a row", hint)
            right, right_height = self._expression(strength + 1, depth + 1)
            height = max(height, right_height) + 1
            self._limit(height, _HIGHEST_TREE, operator)
            compared = operator.value in _COMPARISONS
            left = Binary(operator.value, left, right, operator.position)
        return left, height

    def _strength(self) -> int:
        if self._current.kind == "symbol" and self._current.value == "&" and not self._drawing:
            raise _Broken(unknown_character("&", "&", self._current.position))
        return _STRENGTH.get(self._current.value, 0) if self._current.kind == "symbol" else 0

    def _limit(self, depth: int, deepest: int, token: Token) -> None:
        if depth > deepest:
            hint = "Split it with hidden statements: A:=...; B:=A+...;"
            raise _broken(token, f"the expression is more than {deepest} deep", hint)

    def _operand(self, depth: int) -> tuple[Expression, int]:
        token = self._next()
        self._limit(depth, _DEEPEST_NESTING, token)
        match token.kind:
            case "number":
                return Number(float(token.value), token.position), 1
            case "text":
                return Text(token.value, token.position), 1
            case "name":
                return self._name_or_call(token, depth)
        match token.value:
            case "(":
                expression, height = self._expression(1, depth + 1)
                self._close(token)
                return expression, height
            case "+":
                return self._operand(depth + 1)
            case "-":
                operand, height = self._operand(depth + 1)
                return Unary("-", operand, token.position), height + 1
            case "NOT":
                return self._negation(token, depth)
        raise self._no_operand(token)

    def _no_operand(self, token: Token) -> _Broken:
        self._index -= token.kind != "end"
        if token.kind == "end":
            return _broken(token, "the formula ends where a value is expected", "")
        hint = ""
        if token.value in _COMPARISONS and self._index:
            hint = f"After {self._tokens[self._index - 1]} a value is needed."
        return _broken(token, f"expected a value before {token}", hint)

    def _negation(self, token: Token, depth: int) -> tuple[Expression, int]:
        if self._current.value != "(" or self._current.kind != "symbol":
            raise _broken(token, "NOT without brackets", "Write NOT(...).")
        operand, height = self._operand(depth + 1)
        return Unary("NOT", operand, token.position), height + 1

    def _name_or_call(self, token: Token, depth: int) -> tuple[Expression, int]:
        opening = self._current
        if not self._accept("("):
            # A formula may define HSL or 换手率 itself.
            name = token.value if token.value in self._defined else canonical(token.value)
            return Name(name, token.position), 1
        arguments: list[Expression] = []
        height = 0
        # There & joins texts, as in DRAWTEXT(C>O,L,'买'&CON2STR(C,2)).
        self._drawing += token.value in DRAWING_FUNCTIONS
        while not (not arguments and self._current.value == ")" and self._current.kind == "symbol"):
            argument, argument_height = self._expression(1, depth + 1)
            arguments.append(argument)
            height = max(height, argument_height)
            if not self._accept(","):
                break
        self._close(opening)
        self._drawing -= token.value in DRAWING_FUNCTIONS
        return Call(token.value, tuple(arguments), token.position), height + 1

    def _close(self, opening: Token) -> None:
        if self._accept(")"):
            return
        word = self._current
        if word.kind == "end" or word.value in (";", ":", ":="):
            raise _broken(opening, f"'(' is not closed before {word} in {word.position}", "")
        raise _broken(
            word, f"expected an operator, ',' or ')' before {word}", f"The bracket opens in {opening.position}."
        )


def _broken(token: Token, message: str, hint: str) -> _Broken:
    return _Broken(FormulaProblem(token.position, message, hint, token.width))
