"""Formulas as traders paste them, and what is said about wrong ones."""

import pickle
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mystocks_dagster.market.formulas.functions import FUNCTIONS
from mystocks_dagster.market.formulas.parser import parse_formula
from mystocks_dagster.market.formulas.problems import FormulaError
from mystocks_dagster.market.formulas.syntax import Binary, Call, Name, Number, Parameter, Position, Unary, walk

REFERENCES = (
    'References to other formulas, such as "MACD.DEA", are not supported: write the formula itself. '
    "Texts stand in single quotes."
)


def only(text, **parameters):
    """The expression of a formula of one statement."""
    (statement,) = parse_formula(text, parameters=parameters).statements
    return statement.expression


def problems(text, **parameters):
    with pytest.raises(FormulaError) as caught:
        parse_formula(text, "MYTREND", parameters)
    return [str(problem) for problem in caught.value.problems]


def call(function, *arguments):
    return Call(function, tuple(Number(value) if isinstance(value, int) else value for value in arguments))


CLOSE, OPEN = Name("CLOSE"), Name("OPEN")


def test_hidden_statements_outputs_and_their_drawing():
    formula = parse_formula("A:=EMA(C,12); B:EMA(A,5),COLORRED,LINETHICK2; {画线} UP:CROSS(A,B); // 金叉")
    assert [(s.name, s.hidden, s.attributes) for s in formula.statements] == [
        ("A", True, ()),
        ("B", False, ("COLORRED", "LINETHICK2")),
        ("UP", False, ()),
    ]
    assert formula.statements[1].expression == call("EMA", Name("A"), 5)
    assert [s.name for s in formula.outputs] == ["B", "UP"]


def test_an_expression_alone_is_an_output_without_a_name_and_the_last_semicolon_may_be_missing():
    formula = parse_formula("CROSS(MA(C,5),MA(C,20)) AND V>2*MA(V,5)")
    assert [s.name for s in formula.outputs] == [None]


@pytest.mark.parametrize(
    "text", ["Ａ：＝ＭＡ（Ｃ，５）；出：Ａ＞＝３；", "a:=ma(c,5);出:a≥3", "A:=MA(CLOSE,5);\t出:A>=3"]
)
def test_full_width_characters_and_small_letters_mean_the_same(text):
    assert parse_formula(text) == parse_formula("A:=MA(C,5);出:A>=3;")


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("C>O AND H>L OR V>1", "((C>O) AND (H>L)) OR (V>1)"),
        ("C>O OR H>L AND V>1", "(C>O) OR ((H>L) AND (V>1))"),
        ("C>O && H>L || V>1", "C>O AND H>L OR V>1"),
        ("C-O-1*H/L", "(C-O)-((1*H)/L)"),
        ("-C*O", "(-C)*O"),
        ("NOT(C>O) AND V>1", "(NOT(C>O)) AND (V>1)"),
        ("C!=O", "C<>O"),
        ("C==O", "C=O"),
        ("C*-1", "C*(-1)"),
        ("收盘价>开盘价", "C>O"),
        ("EXPMA(C,5)", "EMA(C,5)"),
        ("IFN(C>O,1,2)", "IF(C>O,2,1)"),
        ("NDAY(C,O,3)", "EVERY(C>O,3)"),
        ("REVERSE(C-O)", "-(C-O)"),
        ("MEMA(C,7)", "SMA(C,7,1)"),
        ("ISUP", "C>O"),
        ("ZIG(3,5)", "ZIG(C,5)"),
        ("MA(C,5/2)", "MA(C,2)"),
        ("V/CAPITAL", "V/(V/HSL*100)"),
        ("MAX6(1,2,3,4,5,C)", "MAX(MAX(MAX(1,2),MAX(3,4)),MAX(5,C))"),
    ],
)
def test_precedence_spellings_and_functions_defined_by_others(text, same):
    assert only(text) == only(same)


def test_the_tree_of_an_expression():
    assert only("-C+NOT(O)*2") == Binary("+", Unary("-", CLOSE), Binary("*", Unary("NOT", OPEN), Number(2)))
    assert only("SAR(4,2,20)") == call("SAR", Name("HIGH"), Name("LOW"), 4, 2, 20)
    assert only("YEAR") == only("YEAR()") == call("YEAR", Name("#DAY"))
    assert only(".5+1.").left == Number(0.5)


@pytest.mark.parametrize("value", [float("inf"), 10**400])
def test_a_parameter_from_outside_beyond_all_numbers_is_named(value):
    assert problems("X:MA(C,N);", n=value)[0] == "1:1: parameter N is inf"


def test_a_text_may_stand_in_the_quotes_of_a_chinese_keyboard():
    formula = parse_formula("DRAWTEXT(C>O,L,“买入, 3.5 元”);X:C;")
    assert formula == parse_formula("DRAWTEXT(C>O,L,'买入, 3.5 元');X:C;")


def test_positions_are_those_of_the_text_as_written():
    formula = parse_formula("{注释\n两行}\n快线：＝MA（C，5）；\n出：快线")
    assert formula.statements[0].position == Position(3, 1)
    assert [part.position for part in walk(formula.statements[0].expression)] == [
        Position(3, 5),
        Position(3, 8),
        Position(3, 10),
    ]


def test_parameters_from_the_header_and_from_outside():
    text = "INPUT: N(12,1,100), M(-2.5,-5,5,0.5); INPUT:K(3); X:MA(C,N)+M+K+外;"
    formula = parse_formula(text, parameters={"n": 20, "外": 7})
    assert formula.parameters == (
        Parameter("N", 20, 1, 100),
        Parameter("M", -2.5, -5, 5),
        Parameter("K", 3),
        Parameter("外", 7),
    )


def test_drawings_are_kept_aside_and_whatever_they_use():
    formula = parse_formula("X:C; DRAWTEXT(WINNER(C)>0.9,L,'获利'),COLORRED; 柱:STICKLINE(C>O,C,O,2,0);")
    assert [s.name for s in formula.statements] == ["X"]
    assert [drawing.function for drawing in formula.drawings] == ["DRAWTEXT", "STICKLINE"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["1:1: the formula has no output. Write NAME:expression;"]),
        ("A:=5;", ["1:1: the formula has no output. Statements with := are hidden; write at least one with :"]),
        ("DRAWTEXT(C>O,L,'x');", ["1:1: the formula has no output. Its statements only draw."]),
        ("X:C;\nY:COUTN(C>O,5);", ["2:3: there is no function COUTN. Did you mean 'COUNT'?"]),
        ("X:CLOES;", ["1:3: CLOES is not defined. Did you mean 'CLOSE'?"]),
        ("X:MA(C);", ["1:3: MA takes 2 arguments, not 1. Write MA(X,N)."]),
        ("X:MA(C,0);", ["1:8: the N of MA cannot be 0. Allowed: 1 to 10,000."]),
        ("N:=2-5;X:REF(C,N);", ["1:16: the N of REF cannot be -3. Allowed: 0 to 10,000."]),
        ("X:SMA(C,3,9);", ["1:11: the M of SMA cannot be 9. Allowed: above 0, up to N, which is 3."]),
        ("X:SMA(C,3,0);", ["1:11: the M of SMA cannot be 0. Allowed: above 0, up to N, which is 3."]),
        ("X:SMA(C,BARSLAST(C>O)+1,-1);", ["1:25: the M of SMA cannot be -1. Allowed: above 0, up to N."]),
        ("X:DMA(C,-1);", ["1:9: the A of DMA cannot be -1. Allowed: 0 to 1."]),
        ("X:DMA(C,2);", ["1:9: the A of DMA cannot be 2. Allowed: 0 to 1."]),
        ("A:=1.5;X:AMA(C,A);", ["1:16: the A of AMA cannot be 1.5. Allowed: 0 to 1."]),
        ("X:MA(C,'5');", ["1:8: a text is not a value. Texts belong to DRAWTEXT."]),
        (
            "X:NOT(NAMELIKE('ST'));",
            [
                "1:7: NAMELIKE: selects symbols by name or board. Without ST: a strategy in Python reads is_st, and a "
                "stored screen is joined with is_st of daily_bars."
            ],
        ),
        (
            "X:C>MA(C,20)+2*STDDEV(C,20);",
            [
                "1:16: STDDEV: is a standard deviation of which 通达信 does not say by what it divides. Write "
                "STD(X,N), divided by N-1, or STDP(X,N), divided by N."
            ],
        ),
        ("X:VOL/FINANCE(7)>0.1;", ["1:7: FINANCE(7) is the shares of the float. Write CAPITAL."]),
        (
            "X:FINANCE(1);",
            [
                "1:3: FINANCE: is a figure of the newest report; use the tables of fundamentals with their day of "
                "notice. FINANCE(7), the shares of the float, is CAPITAL."
            ],
        ),
        ("X:SAR(C,2,20);", ["1:7: the N of SAR must be the same for all bars. Use a number or a parameter."]),
        ("A:=0;X:MA(C,1/A);", ["1:14: the N of MA cannot be computed. Use a number or a parameter."]),
        ("X:MA(C,SIN(3));", ["1:8: the N of MA cannot be computed. Use a number or a parameter."]),
        ("X:ZIG(4,5);", ["1:7: the K of ZIG cannot be 4. Allowed: 0 to 3."]),
        ("X:(C>O;", ["1:3: '(' is not closed before ';' in line 1, column 7"]),
        ("X:MA(\nMA(C,5),3", ["1:5: '(' is not closed before the end in line 2, column 10"]),
        ("X:C)>1;", ["1:4: ')' closes no bracket"]),
        ("X:MA(C 5);", ["1:8: expected an operator, ',' or ')' before '5'. The bracket opens in line 1, column 5."]),
        ("X:C Y:O;", ["1:5: expected an operator or ; before 'Y'. A statement ends with ;"]),
        ("X:C+;Y:*2;", ["1:5: expected a value before ';'", "1:8: expected a value before '*'"]),
        ("X:1<C<5;", ["1:6: two comparisons in a row. Write A<B AND B<C, or (A<B)<C if that is meant."]),
        ("A:=B+1;B:A;", ["1:4: B is used before its definition in line 1. Move the definition up."]),
        ("X:X+1;", ["1:3: X refers to itself. For a value of the bar before, use a function such as SMA or DMA."]),
        ("X:C;X:O;", ["1:5: X is defined twice, first in line 1. Choose another name."]),
        ("C:5;", ["1:1: C is a column of the bars. Choose another name."]),
        ("YEAR:5;", ["1:1: YEAR is a function. Choose another name."]),
        ("X=5;", ["1:1: X is not defined. = compares; to define it, write X:=..."]),
        ("X:C(1);", ["1:3: C is not a function. Write C without brackets, or an operator before (."]),
        ("X:MA;", ["1:3: MA is a function. Write MA(X,N)."]),
        ("X:DRAWICON(C,L,1)+1;", ["1:3: DRAWICON draws and has no value. Write it as a statement of its own."]),
        ("X:C,COLRRED;", ["1:5: 'COLRRED' is not a way of drawing. Did you mean 'COLORRED'?"]),
        ("INPUT:N(120,1,100);X:N;", ["1:7: the default 120 of N is out of bounds. The order is default, low, high."]),
        ("INPUT:N;X:C;", ["1:7: 'N' does not begin a parameter. Write INPUT: N(default,low,high);"]),
        ("INPUT:N", ["1:7: 'N' does not begin a parameter. Write INPUT: N(default,low,high);"]),
        ("5日线:C;", ["1:1: '5日线' begins with a digit. A name begins with a letter."]),
        ("{X:C;", ["1:1: '{' opens a comment that is not closed. Write } at its end."]),
        (f"X:MA(C,{'9' * 400});", ["1:8: the number 999999999… of 400 digits is too large"]),
        (f"INPUT:N({'9' * 400});X:C*N;", ["1:9: the number 999999999… of 400 digits is too large"]),
        ('X:C>O AND "MACD.DIF">0;', [f'1:11: "MACD.DIF" stands in double quotes. {REFERENCES}']),
        ("X:C>“000300$C”;", [f"1:5: “000300$C” stands in double quotes. {REFERENCES}"]),
        ('X:C>O;DRAWTEXT(X,L,"买入");', [f'1:20: "买入" stands in double quotes. {REFERENCES}']),
        ("X:C>O & C>L;", ["1:7: unexpected character '&' (U+0026, AMPERSAND). Write && or AND."]),
        ("X:(C>O＆C>L);", ["1:7: unexpected character '&' (U+0026, AMPERSAND). Write && or AND."]),
        ("X:C–O;", ["1:4: unexpected character '–' (U+2013, EN DASH). Write - to subtract."]),
        ("X:C—O;", ["1:4: unexpected character '—' (U+2014, EM DASH). Write - to subtract."]),
        (
            "X:C·2;",
            ["1:4: unexpected character '·' (U+00B7, MIDDLE DOT). Write * to multiply; a name has no point."],
        ),
        (
            "X:C,RGB;",
            [
                "1:5: 'RGB' is not a way of drawing. Allowed: COLORRED, COLORGREEN, COLORBLUE, COLORYELLOW, "
                "COLORWHITE, COLORMAGENTA, COLORCYAN, COLORGRAY, LINETHICK1, LINETHICK2, STICK, VOLSTICK, COLORSTICK, "
                "LINESTICK, CROSSDOT, CIRCLEDOT, POINTDOT, DOTLINE, NODRAW, NOTEXT, DRAWABOVE, PRECIS2."
            ],
        ),
        ("X:C。", ["1:4: unexpected character '。' (U+3002, IDEOGRAPHIC FULL STOP). A statement ends with ;"]),
    ],
)
def test_a_wrong_formula_names_place_and_remedy(text, expected):
    assert [problem for problem in problems(text) if "no output" not in problem or problem in expected] == expected


def test_a_value_for_a_parameter_that_is_not_used_is_named():
    assert problems("快线:=MA(C,N);出:快线", N=5, M=9) == [
        "1:1: parameter M is given, and the formula does not use it. Leave it out."
    ]
    assert only("INPUT:N(12,1,100);X:C;", n=20) == CLOSE


def test_a_value_out_of_bounds_is_named():
    assert problems("INPUT:N(12,1,100);X:MA(C,N)", N=200) == ["1:7: parameter N is 200. Allowed: 1 to 100."]


def test_formulas_with_the_habits_of_forums_are_read():
    formula = parse_formula(
        "{放量突破 公众号整理}\r\n"
        "HSL:=V/CAPITAL*100; 换手率:HSL,NODRAW; T:=IF(HSL>3,6,65);\r\n"
        "VAR1:=REF(C,1) ; MACD:=EMA(C,12)-EMA(C,26),COLORSTICK;\r\n"
        "STICKLINE(MACD>0,0,MACD,2.5,1)COLORRED;  // 红柱\r\n"
        "红面积 : SUM(MACD,BARSLAST(MACD<0))*(MACD>0),COLOR0000FF,NODRAW;\r\n"
        "DRAWTEXT(CROSS(MACD,0)，红面积，'买'),COLORLIMAGENTA,FONTSIZE15;\r\n"
        "PARTLINE(MA(C,T),1,RGB(99,0,99)) ,LAYER3,LINETHICK2;\r\n"
        "XG:FILTER(CROSS(MACD,0) AND HHV(C,T)=C AND NOT(VAR1>C),5);\r\n"
    )
    assert [statement.name for statement in formula.outputs] == ["换手率", "红面积", "XG"]
    assert formula.statements[1].expression == Name("HSL")
    assert len(formula.drawings) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("N(5,1,100); A:MA(C,N);", "1:1: there is no function N. Write INPUT: N(5,1,100);"),
        (
            "N(5,1,100),M(9,1,50); A:MA(C,N);",
            "1:12: 'M' is not a way of drawing. Parameters are INPUT: N(12,1,100), M(9,1,50); values of a statement "
            "follow a ;",
        ),
        ("参数：N 5 1 100\nA:MA(C,N);", "1:4: 'N' does not begin a parameter. Write INPUT: N(5,1,100);"),
        ("参数：N 1 100 5;A:MA(C,N);", "1:4: 'N' does not begin a parameter. Write INPUT: N(5,1,100);"),
    ],
)
def test_the_parameters_of_a_forum_are_shown_as_they_must_be_written(text, expected):
    assert problems(text) == [expected]


@pytest.mark.parametrize(
    "name", ["WINNER(C)", "INDEXC", "FINANCE(7)", "DYNAINFO(3)", "PERIOD", "ZTPRICE(C,0.1)", "MACD.DEA", "CLOSE#WEEK"]
)
def test_what_the_lake_does_not_hold_is_refused_with_the_reason(name):
    (problem,) = problems(f"X:{name};")
    reasons = (
        "needs",
        "is a value",
        "is a figure",
        "is the shares",
        "does not say",
        "depends",
        "holds",
        "not supported",
    )
    assert any(reason in problem for reason in reasons)


def test_the_message_shows_the_line_with_a_caret_under_chinese_text():
    with pytest.raises(FormulaError) as caught:
        parse_formula("快线:=MA(C,5);\n金叉:CROSSS(快线,C);", "趋势.txt")
    assert str(caught.value).splitlines() == [
        "趋势.txt:2:4: there is no function CROSSS",
        "    2 | 金叉:CROSSS(快线,C);",
        "      |      ^^^^^^",
        "  Did you mean 'CROSS'?",
    ]
    assert caught.value.to_json()["problems"][0] == {
        "file": "趋势.txt",
        "line": 2,
        "column": 4,
        "path": "",
        "message": "there is no function CROSSS",
        "hint": "Did you mean 'CROSS'?",
    }
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 9_000,
        "X:" + "(" * 5_000 + "C" + ")" * 5_000,
        "X:" + "-" * 3_000 + "C",
        "X:" + "+".join("C" * 1_900),
        "X:" + "NOT(" * 900 + "C" + ")" * 900,
        "X:" + "MA(" * 900,
        ";".join(f"A{i}" for i in range(1_900)),
        "{" * 19_000,
        "'" * 19_000,
        "C" * 30_000,
        "\x00" * 19_000,
        "INPUT:" + "N(" * 1_500,
    ],
)
def test_hostile_texts_are_refused_at_once(text):
    begin, depth = time.process_time(), sys.getrecursionlimit()
    assert problems(text)
    assert time.process_time() - begin < 5
    assert sys.getrecursionlimit() == depth


WORDS = [
    "A", "B", "C", "O", "快线", "N", "5", "0.5", "(", ")", ",", ";", ":", ":=", "+", "-", "*", "/", ">", "<",
    "=", ">=", "<>", "AND", "OR", "NOT", "{", "}", "'", "//", "。", "（", "）", "，", "；", "：", "MA(",
    "&", "RGB(", "AUTOFILTER;", "\u200b",
    "REF(C,", "CROSS(", "YEAR", "INPUT:", "COLORRED", "DRAWTEXT(", "SAR(4,2,20)", "CAPITAL", '"', "#", "\n",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join)))
def test_any_text_gives_a_formula_or_located_problems(text):
    lines = text.split("\n")
    try:
        formula, wrong = parse_formula(text), ()
    except FormulaError as error:
        formula, wrong = None, error.problems
    assert (formula is None) == bool(wrong)
    for problem in wrong:
        assert 1 <= problem.position.line <= len(lines)
        assert 1 <= problem.position.column <= len(lines[problem.position.line - 1]) + 1
    parts = [part for statement in formula.statements for part in walk(statement.expression)] if formula else []
    assert all(FUNCTIONS[part.function].definition is None for part in parts if isinstance(part, Call))


@pytest.mark.slow
def test_the_names_that_a_formula_may_use_stand_in_the_same_order_each_time():
    code = (
        "from mystocks_dagster.market.formulas.parser import parse_formula\n"
        "from mystocks_dagster.excerpts import suggest\n"
        "try: parse_formula('A:ZZZZQQQQ;', parameters={'N': 5, 'M': 3, 'K': 2})\n"
        "except Exception as error: print(error)\n"
        "print(suggest('zzzz', {'one', 'two', 'three'}))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in "123"
    }
    assert len(told) == 1
    assert "Known here: " in told.pop()


@pytest.mark.parametrize("odd", ["\u200b", "\u200d", "\u202a", "\u202c", "\u00ad", "\ufeff", "\u2060", "\ufe0f"])
def test_a_formula_pasted_with_characters_that_nobody_sees_is_read(odd):
    text = "~快~线~:=MA~(C~,~5)~;~X:~快线>0;~".replace("~", odd)
    formula = parse_formula(text)
    assert formula == parse_formula("快线:=MA(C,5);X:快线>0;")
    assert formula.statements[1].position.column == text.index("X") + 1


def test_a_formula_of_a_forum_that_joins_texts_in_a_drawing_is_read():
    formula = parse_formula("X:C;DRAWTEXT(C>O,L,'买'&CON2STR(C,2)&(' '&'元')),COLORRED;DRAWTEXT(C>O AND C>5,L,'x');")
    assert [drawing.function for drawing in formula.drawings] == ["DRAWTEXT", "DRAWTEXT"]
    assert problems("DRAWTEXT(C>O,L,'买'&);X:C&O;") == [
        "1:20: expected a value before ')'",
        "1:25: unexpected character '&' (U+0026, AMPERSAND). Write && or AND.",
    ]


def test_a_colour_of_three_numbers_changes_no_value():
    assert (
        parse_formula("A:C,RGB(255,0,0),LINETHICK2;B:O RGB(0,0,C*5);").statements
        == parse_formula("A:C;B:O;").statements
    )


def test_autofilter_is_passed_over():
    assert parse_formula("X:C>O;AUTOFILTER;") == parse_formula("X:C>O;")
    assert [statement.name for statement in parse_formula("AUTOFILTER:=5;X:C>AUTOFILTER;").statements] == [
        "AUTOFILTER",
        "X",
    ]


def test_comparisons_of_japanese_keyboards_are_read():
    assert parse_formula("X:C≧O AND C≦H;") == parse_formula("X:C>=O AND C<=H;")
