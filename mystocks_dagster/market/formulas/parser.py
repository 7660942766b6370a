"""From the text of a formula to its tree. Every problem has a line and a column; work is bounded for any text."""

from collections.abc import Mapping

from mystocks_dagster.market.formulas.checking import check, unused
from mystocks_dagster.market.formulas.expansion import expand
from mystocks_dagster.market.formulas.headers import bind, parse_header
from mystocks_dagster.market.formulas.problems import FormulaError, FormulaProblem
from mystocks_dagster.market.formulas.statements import StatementParser
from mystocks_dagster.market.formulas.syntax import Formula, Position
from mystocks_dagster.market.formulas.tokens import tokenize

#: Longer texts are refused, unread.
LONGEST_TEXT = 20_000
#: A formula with more words takes longer to compute than anybody waits.
MOST_WORDS = 4_000


def parse_formula(text: str, name: str = "formula", parameters: Mapping[str, float] | None = None) -> Formula:
    """Parse and check a formula.

    Args:
        text: Statements as 通达信 writes them: `A:=EMA(C,12); B:EMA(A,5),COLORRED; UP:CROSS(A,B);`.
        name: The formula's name, or its file, for messages.
        parameters: Values by name, in any case; they replace the defaults of the formula's own header, and define the
            parameters that it has none for.

    Returns:
        The tree, in which names are in upper case and functions that are defined by others are replaced by these.

    Raises:
        FormulaError: All problems that were seen, in the order of the text. A value for a parameter that the formula
            does not use is one.

    Examples:
        >>> formula = parse_formula("快线:=EMA(C,N); 金叉：CROSS（快线，EMA（C，26））；", parameters={"n": 12})
        >>> [statement.name for statement in formula.outputs]
        ['金叉']
    """
    if len(text) > LONGEST_TEXT:
        raise _error(name, text, f"the formula has {len(text):,} characters; at most {LONGEST_TEXT:,} are read")
    tokens, problems = tokenize(text)
    if len(tokens) > MOST_WORDS:
        raise _error(name, text, f"the formula has {len(tokens):,} words; at most {MOST_WORDS:,} are read")
    header, rest, header_problems = parse_header(tokens)
    parser = StatementParser(rest)
    statements, drawings = parser.parse()
    # Beside a character that is not of the language, the words around it do not fit either.
    problems = problems or [*header_problems, *parser.problems]
    declared, binding_problems = bind(header, parameters or {})
    problems += binding_problems
    formula = Formula(name, declared, tuple(statements), tuple(drawings))
    # A statement that could not be read would make names of it unknown in all others.
    problems += [] if problems else [*check(formula), *unused(formula, header, parameters or {})]
    if problems:
        ordered = sorted(problems, key=lambda problem: (problem.position.line, problem.position.column))
        raise FormulaError(name, ordered, text)
    return expand(formula)


def _error(name: str, text: str, message: str) -> FormulaError:
    return FormulaError(name, [FormulaProblem(Position(), message)], text[:1])
