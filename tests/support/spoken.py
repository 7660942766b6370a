"""The English texts that the program says to its users, collected from its source code."""

import ast
import asyncio
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

import mystocks_dagster
from mystocks_dagster import tasks
from mystocks_dagster.api.app import create_app
from mystocks_dagster.api.errors_reference import kinds
from mystocks_dagster.api.languages import document_texts
from mystocks_dagster.assistant.server import INSTRUCTIONS, make_server
from mystocks_dagster.cli.help import paragraphs, parts_of
from mystocks_dagster.cli.main import app, register_all
from mystocks_dagster.datasets.declared_table import UNITS
from mystocks_dagster.market.catalogue.registry import CATALOGUE
from mystocks_dagster.market.tables import BUILT_IN, TABLES
from mystocks_dagster.settings import Settings
from mystocks_dagster.strategies.registry import strategies
from mystocks_dagster.taskfile.reference import MODELS
from mystocks_dagster.taskfile.signature import params_model

PACKAGE = Path(mystocks_dagster.__file__).parent
#: Modules whose texts are not said at run time by pages or commands, or have both languages beside each other.
_SILENT = (
    *("api/pages/translations.py", "api/pages/words_market.py", "api/pages/words_tasks.py"),  # both languages
    *("alerts/texts.py", "project/templates/", "project/backtest_report/"),  # Chinese, or both
    *("cli/reference.py", "taskfile/reference.py", "taskfile/schema.py", "api/errors_reference.py"),  # English docs
    *("datasets/docs.py", "lake/docs.py", "sources/docs.py", "strategies/docs.py"),
    *("market/catalogue/docs.py", "market/formulas/docs.py", "dagster_internals.py", "api/reference.py"),
    *("api/response_models.py", "api/entries.py", "api/origins.py", "api/app.py"),
    *("project/metrics/", "factory/component_scaffold.py", "api/session.py"),  # for programs, in English
    *("sources/simulated/", "market/tables/", "market/catalogue/", "market/formulas/library/", "defs/"),  # data
)
#: Modules among these whose errors are said.
_SAID = ("market/tables/__init__.py", "sources/simulated/options.py", "sources/simulated/source.py")
#: Calls whose texts are for machines, or for the log of a developer.
_MECHANICAL = frozenset(
    (
        *(
            "execute",
            "executemany",
            "sql",
            "query",
            "copy_expert",
            "compile",
            "sub",
            "match",
            "fullmatch",
            "search",
            "findall",
        ),
        *("fork", "keep_forker", "set_title"),  # what `ps` shows
        *("getLogger", "debug", "exception", "TypeVar", "NewType", "strptime", "strftime", "cast", "assert_never"),
        *("Field", "FormField", "Query", "Path", "Body", "_documented", "FastAPI"),
    )
)
#: Functions that take how much is done, of how much, and a text.
_PROGRESS = frozenset(("report_progress", "reach", "progress", "reading", "writing", "report"))
#: What is no prose: queries, headers, commands, types, lists of columns, and parts of files.
_CODE = re.compile(
    r"(?<!one |gle )\bSELECT\b"
    r"|^COPY |^sum\("
    r"|\b(PRAGMA|CREATE|DELETE FROM|INSERT|ORDER BY|UPDATE|WHERE|GROUP BY|VACUUM|CAST|COALESCE|EXCLUDE|OVER)\b"
    r"|DATE '|<[a-z/!]|^ *-- |default-src|frame-ancestors|connect-src|charset=|max-age|Path=/|filename=|realm=|CROSS\("
    r"|^mystocks( [-\w]+)*( \{+\w+\}+)*( --[a-z-]+)?$|^(make \w+$|pip install|python -m|query|mutation|type:|set -)"
    r"|^(SET|hashtext)"
    r"|^from \w+\.|[]\w] \| None$|^\"{3}|^# |^\w+, \w+(, \w+)*$|^(Callable|tuple|dict|Sequence)\[|^NULL::|^.?t\.\{"
    r"|^[A-Z_]+( [A-Z_]+)+$|^\(?[\w.\"]+ [=<] |='?\{\d\}'?$|^\w+=\"|task_packages: \[| IN \(\{|^`mystocks [^`]*`$"
)
#: Texts of other programs, by which their errors are recognised, and what only developers read.
_OTHERS = frozenset(
    (
        *("unable to open", "no such table", "no space left", "disk quota", "readonly database", "already exists"),
        *("read-only file system", "permission denied", "disk i/o error", "unable to open database file"),
        *(
            "attempt to write",
            "error sending request",
            "tcp connect error",
            "dns error",
            "operation timed out",
            "old connection",
            "new connection",
            "mystocks {0} {1} on {2}",
            "File name too long",
            "Not a directory",
            "os error",
            "Read timed out",
            "timed out",
            "mapping values are not allowed",
        ),
        *(
            "any work",
            "more fields",
            "did not find expected key",
            "did not find expected '-'",
            "could not find expected ':'",
        ),
        *("cannot start any token", "unexpected end of stream", "expected ',' or", "expected alphabetic or numeric"),
        *(
            "surrogates not allowed",
            "Value error,",
            "FULL, ANALYZE",
            "ADD COLUMN",
            "Accept-Language, Cookie",
            "Lines of text",
            "Shanghai time unless it has an offset.",
        ),
        *(
            "step succeeded",
            "step failed",
            "step skipped",
            "step not started",
            "step started",
            "step retried",
            "run failed",
        ),
        "{0} has no {1}: class {2}(MyStocksError, status=…, exit_code=…)",
        "mystocks_dagster.market.schemas.{0} is now {1}.{2}",
        "the web UI does not use the saved task file: {0}",
        "{{}}; `prev_close` follows from corporate actions, where these are known; suspended days have no row",
        *("max(days, exit_days) + 1", "days + skip + 50", "queue.Queue[dict[str, Any]]", "Response | UpstreamFault"),
        *("[bold]MyStocks[/]  {0}", "Bearer {0}", "NOT {0}"),
        *("-p data_source=recorded", "{0}, r.symbol AS {1}", "{0} {1} {2} attempt={3} run={4}{5}"),
        "int, float, str, bool, date, Formula, list[int], Literal[...], int | None, Annotated[int, Field(ge=1, le=9)]",
    )
)
_CHINESE = re.compile("[\u4e00-\u9fff]")
#: Names that an English text has in Chinese; any other Chinese beside English means that both languages are there.
_NAMES = re.compile("通达信|同花顺|龙虎榜|贵州茅台|茅台|数据组|模拟行情")
#: A value in a text that a logger says.
_LOGGED = re.compile(r"%[sd]|%\.\d+f")
_WORD = re.compile(r"[A-Za-z]{2,}")
#: A sentence of one word and its values: `Add {0}.`
_SHORT = re.compile(r"(\[[a-z ]+\])?[A-Z].*\{\d+\}")


def template(node: ast.AST) -> str | None:
    """Return a text with `{0}`, `{1}` … in place of its values; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        numbers = count()
        return _LOGGED.sub(lambda _: f"{{{next(numbers)}}}", node.value.replace("{", "{{").replace("}", "}}"))
    if not isinstance(node, ast.JoinedStr):
        return None
    numbers = count()
    parts = ((str(part.value) if isinstance(part, ast.Constant) else None) for part in node.values)
    return "".join(
        f"{{{next(numbers)}}}" if part is None else part.replace("{", "{{").replace("}", "}}") for part in parts
    )


@cache
def spoken() -> dict[str, str]:
    """Return each text that the program says, with the place where it is first said."""
    found: dict[str, str] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        name = file.relative_to(PACKAGE).as_posix()
        if name in _SAID or not name.startswith(_SILENT):
            for line, text in _said(ast.parse(file.read_text(encoding="utf-8"))):
                found.setdefault(text.strip(), f"{name}:{line}")
    return found


@cache
def helps() -> set[str]:
    """Return the paragraphs of the commands' help and the descriptions of the shipped tasks' parameters."""
    register_all()
    command = typer.main.get_command(app)
    texts = {text for part in parts_of(command) for text in paragraphs(part.help or "")}
    models = (params_model(function) for function in _task_functions())
    described = {info.description for model in models if model for info in model.model_fields.values()}
    return {text for text in texts | described if text and not text.startswith("Example: ")}


@cache
def rules() -> set[str]:
    """Return what the tables of this package say about rows and days that break a rule."""
    tables = TABLES.values()
    said = {text for table in tables for rule in table.rules for text in (rule.reason, rule.remedy)}
    return {text for text in said | {check.fails_if for table in tables for check in table.checks} if text}


@cache
def declarations() -> set[str]:
    """Return the units and meanings of columns, what a row stands for, and what indicators and strategies do."""
    columns = {column.unit for table in TABLES.values() for column in table.stored.columns} | set(UNITS.values())
    grains = {table.grain for table in BUILT_IN.values()}
    catalogue = {
        text
        for entry in CATALOGUE.values()
        for text in (entry.about, entry.note, entry.unit, *(parameter.about for parameter in entry.parameters))
    }
    shipped = [definition for definition in strategies().values() if definition.shipped]
    docs = {" ".join(part.split()) for one in shipped for part in (one.summary, *one.doc.split("\n\n"))}
    models = [one.model.model_fields.values() for one in shipped]
    described = {field.description for fields in models for field in fields}
    rest = set(document_texts(create_app(Settings.from_env()).openapi()))
    errors = {paragraphs(inspect.cleandoc(error.__doc__ or ""))[0] for error in kinds()}
    fields = {part for model in MODELS for part in _described(model)}
    of_programs = rest | texts_of_tools() | errors | fields
    return {text for text in columns | grains | catalogue | docs | described | of_programs if text}


def _described(model: type[BaseModel]) -> Iterator[str]:
    """Yield the paragraphs that describe the fields of a model."""
    for field in model.model_fields.values():
        yield from paragraphs(field.description or "")


def texts_of_tools() -> set[str]:
    """Return what an assistant reads about the tools."""

    def no_project() -> Any:
        raise AssertionError("no tool is called")

    tools = asyncio.run(make_server(no_project, allow_start=True).list_tools())
    texts = {text for tool in tools for text in document_texts(tool.input_schema)}
    return texts | {INSTRUCTIONS} | {part for tool in tools for part in paragraphs(tool.description or "")}


def _task_functions() -> Iterator[Callable[..., object]]:
    for module in pkgutil.iter_modules(tasks.__path__):
        functions = vars(importlib.import_module(f"{tasks.__name__}.{module.name}")).values()
        yield from (item for item in functions if inspect.isfunction(item) and _takes_params(item))


def _takes_params(function: Callable[..., object]) -> bool:
    return function.__name__[0] != "_" and set(inspect.signature(function).parameters) <= {"params", "run"}


def _said(module: ast.Module) -> Iterator[tuple[int, str]]:
    parents = {child: node for node in ast.walk(module) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(module):
        text = template(node)
        if text is None or _is_mechanical(node, parents):
            continue
        line = getattr(node, "lineno", 0)
        if _leads_a_list(node, parents):
            yield line, f"{text}: {{0}}."
        elif _is_prose(text) or (_is_progress(node, parents) and _WORD.search(text)):
            yield line, text


def _is_prose(text: str) -> bool:
    bare = re.sub(r"\{\d+\}|\[/?[a-z ]*\]", " ", text)
    words = len(_WORD.findall(bare))
    return (
        (words > 1 or (words == 1 and _SHORT.match(text)))
        and " " in text.strip()
        and not (
            _CHINESE.search(_NAMES.sub("", text))
            or _CODE.search(text)
            or text.strip() in _OTHERS
            or text.startswith("os error ")
        )
    )


def _leads_a_list(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Return whether a text stands before a list of names, as in `suggest(name, names, allowed="The tasks are")`."""
    parent = parents[node]
    return isinstance(parent, ast.keyword) and parent.arg == "allowed"


def _is_progress(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Return whether a text says how far a task is, behind two numbers: also a single word is one."""
    parent = parents[node]
    if not isinstance(parent, ast.Call) or node not in parent.args[2:3]:
        return False
    called = parent.func.attr if isinstance(parent.func, ast.Attribute) else getattr(parent.func, "id", "")
    return called in _PROGRESS


def _is_mechanical(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Return whether a text is a docstring, a part of another text, or an argument of a mechanical call."""
    parent = parents[node]
    if isinstance(parent, (ast.JoinedStr, ast.Expr, ast.Subscript, ast.Assert)):
        return True
    while not isinstance(parent, ast.stmt):
        if isinstance(parent, ast.Call) and node is not parent.func:
            called = parent.func.attr if isinstance(parent.func, ast.Attribute) else getattr(parent.func, "id", "")
            if called in _MECHANICAL:
                return True
        node, parent = parent, parents[parent]
    return isinstance(parent, ast.FunctionDef) and node in parent.decorator_list
