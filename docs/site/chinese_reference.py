"""The reference in Chinese, made when the site is built, from what the English pages are made of and the texts.

Some pages are made whole; of others, which are in `docs/zh/`, a part is.
"""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

from chinese_sources import tables as sources_tables
from pydantic.fields import FieldInfo

from mystocks_dagster.api.app import create_app
from mystocks_dagster.api.errors_reference import kinds
from mystocks_dagster.api.languages import translate_document
from mystocks_dagster.cli.help import paragraphs
from mystocks_dagster.cli.reference import commands
from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.market.catalogue.definition import Definition
from mystocks_dagster.market.catalogue.docs import columns_of, formula_of
from mystocks_dagster.market.catalogue.registry import CATALOGUE, definitions
from mystocks_dagster.market.catalogue.registry import PARTS as KINDS
from mystocks_dagster.market.formulas.bars import ALIASES, BARS, DEFINED, REMEDIES
from mystocks_dagster.market.formulas.docs import TITLES, carried, refused
from mystocks_dagster.market.formulas.function import Function
from mystocks_dagster.market.formulas.functions import FUNCTIONS
from mystocks_dagster.market.table import MOMENT, Table
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.alerts import Alerts, Expectation
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import Task, TaskFile
from mystocks_dagster.taskfile.reference import allowed_values, default_of
from mystocks_dagster.taskfile.schedule import Schedule
from mystocks_dagster.texts.catalogue import translate
from mystocks_dagster.texts.declarations import column_name, declared

_CLI = """# 命令

在项目目录或其子目录中运行。退出码：0 成功；1 失败或输入无效，消息说明怎么办；2 用法不对。`--json` 为程序输出同样的
数据，结构与 REST 接口相同。只有终端里才有颜色和进度条：管道得到的是普通的行。
"""
_FIELDS = """# tasks.yaml 的字段

运行什么、何时运行、失败时怎么办。`mystocks check` 报告文件中的每个错误及其所在行。任务文件首行的注释让编辑器边写边
检查。
"""
_ERRORS = """# 错误

项目有意报告的每个错误都有类型：REST 与 `--json` 的 `error` 字段，消息说明错在哪里、怎么办。不在此表中的错误是程序缺陷：
HTTP 状态为 500，日志中有回溯。命令遇到它们都以退出码 1 结束。*可重试*表示任务会按 `retry_count` 再试。

| 类型 | 含义 | 怎么办 | HTTP | 可重试 |
| --- | --- | --- | --- | --- |
"""
_TABLES = """# 数据湖的表

每张表的内容、主键、列与单位。价格以元计，成交量以股计，时间为北京时间；缺失的值为空，绝不是零。
"""
_REST = """# REST 接口

`mystocks ui` 与 `mystocks api` 提供。运行中的项目在 `/docs` 有同样的说明，`/openapi.json?lang=zh` 是中文的 OpenAPI
文档。
"""
_SECTIONS = (
    ("文件", TaskFile, "顶格书写的字段。"),
    ("任务", Task, "`tasks` 的一项。"),
    ("调度", Schedule, "任务或任务组的 `schedule`。"),
    ("任务组", Group, "`task_groups` 的一项。"),
    ("告警", Alerts, "文件的 `alerts`。"),
    ("期望", Expectation, "`alerts` 中 `expect` 的一项：一张表或一个任务。"),
)
_VALUES = {
    "text": "文本",
    "whole number": "整数",
    "number": "数",
    "mappings": "映射的列表",
    "mapping": "映射",
    "date and time": "日期和时间",
}
_KINDS = {"Trend": "趋势指标", "Range": "通道与波幅", "Oscillators": "摆动指标", "Volume": "量能指标"}
_INDICATOR_HEAD = ("| 名称 | 参数 | 列与单位 | 公式与出处 |", "| --- | --- | --- | --- |")
_SOURCE = {"通达信 formula manager": "通达信公式管理器", " (BRAR)": "（BRAR）", "; ": "；", "after ": "据 "}
_CARRIED = {"yes": "是", "no": "否", "if N is a number": "N 为常数时", "unless N is 0": "N 不为 0 时"}
#: What stands between these lines of a page of docs/zh/ is for the reader of the repository; the site has the part.


def chinese(text: str) -> str:
    """Return a text of the package in Chinese, in one line."""
    return "".join(declared(part, "zh") for part in paragraphs(text))


def commands_page() -> str:
    """Return every command with its arguments."""
    return _CLI + "".join(_command(words, command) for words, command in commands())


def _command(words: str, command: Any) -> str:
    summary, _, example = command.help.partition("\n\nExample: ")
    lines = [f"\n## {words}\n", chinese(summary), "", "```console", f"$ {example.strip()}", "```"]
    rows = [_argument(one) for one in command.params if one.name != "help"]
    if rows:
        lines += ["", "| 参数 | 含义 | 默认 |", "| --- | --- | --- |", *rows]
    return "\n".join(lines) + "\n"


def _argument(one: Any) -> str:
    names = [one.name.upper()] if one.param_type_name == "argument" else [*one.opts, *one.secondary_opts]
    default = f"`{one.default}`" if one.default not in (None, False, ()) and not callable(one.default) else ""
    return _row(", ".join(f"`{name}`" for name in names), chinese(one.help or ""), "必填" if one.required else default)


def fields_page() -> str:
    """Return every field of the task file."""
    parts = [_FIELDS]
    for title, model, text in _SECTIONS:
        rows = [_field(name, field) for name, field in model.model_fields.items()]
        parts += [f"\n## {title}\n\n{text}\n", "| 字段 | 取值 | 默认 | 含义 |", "| --- | --- | --- | --- |", *rows]
    return "\n".join(parts) + "\n"


def _field(name: str, field: FieldInfo) -> str:
    default = "**必填**" if field.is_required() else default_of(field)
    return _row(f"`{name}`", _in_words(allowed_values(name, field)), default, chinese(field.description or ""))


def _in_words(values: str) -> str:
    values = re.sub(r"(\d+) to (\d+)", r"\1 到 \2", values).replace("list of ", "列表：").replace(" or ", " 或 ")
    parts = re.split(r"(`[^`]*`)", values)
    names = re.compile("|".join(_VALUES))
    return "".join(part if part[:1] == "`" else names.sub(lambda name: _VALUES[name[0]], part) for part in parts)


def errors_page() -> str:
    """Return every kind of error with its meaning and its remedy."""
    return _ERRORS + "\n".join(_error(error) for error in kinds()) + "\n"


def _error(error: type[MyStocksError]) -> str:
    meaning = chinese(inspect.cleandoc(error.__doc__ or "").partition("\n\n")[0])
    case = f"（{error.__base__.__name__}）" if error.__base__ not in (MyStocksError, None) else ""
    return _row(
        f"`{error.__name__}`{case}",
        meaning,
        translate(error.remedy, "zh"),
        f"{error.status}",
        "是" if error.retryable else "",
    )


def tables_page() -> str:
    """Return every table with its columns and their units."""
    return _TABLES + "".join(f"\n## {table.name}（{table.title}）\n\n{_table(table)}\n" for table in TABLES.values())


def _table(table: Table) -> str:
    key = "、".join(f"`{name}`" for name in table.key)
    about = table.about_zh or table.about
    lines = [
        f"{about}。主键：{key}。",
        "",
        "| 列 | 名称 | 类型 | 单位或含义 | 可为空 |",
        "| --- | --- | --- | --- | --- |",
    ]
    for column in table.columns:
        kind = "moment" if column.dtype == MOMENT else f"{column.dtype}".lower()
        name = column_name(table.name, column.name, column.label, "zh")
        lines.append(_row(f"`{column.name}`", name, kind, chinese(column.unit), "是" if column.null else ""))
    return "\n".join(lines)


def rest_page() -> str:
    """Return every call of the REST interface."""
    document = translate_document(create_app(Settings.from_env()).openapi(), "zh")
    return _REST + "".join(
        part for path, calls in document["paths"].items() for method, call in calls.items()
        for part in _call(method.upper(), path, call)
    )  # fmt: skip


def _call(method: str, path: str, call: dict[str, Any]) -> Iterator[str]:
    yield f"\n## {method} {path}\n\n{''.join(call.get('description', '').splitlines())}\n"
    places = {"path": "路径", "query": "查询", "header": "请求头"}
    rows = [
        _row(
            f"`{item['name']}`", places[item["in"]], "必填" if item.get("required") else "", item.get("description", "")
        )
        for item in call.get("parameters", [])
    ]
    if rows:
        yield "\n".join(["", "| 参数 | 位置 | | 含义 |", "| --- | --- | --- | --- |", *rows]) + "\n"


def catalogue() -> str:
    """Return the indicators by kind, and how they differ from other software."""
    parts = [
        "\n".join([f"### {_KINDS[title]}", "", *_INDICATOR_HEAD, *map(_indicator, definitions(module)), ""])
        for title, module in KINDS.items()
    ]
    notes = [f"* **{entry.name}。** {chinese(entry.note)}" for entry in CATALOGUE.values() if entry.note]
    return "\n".join([*parts, "### 各指标与其他软件的差别", "", *notes]) + "\n"


def _indicator(entry: Definition) -> str:
    names = " ".join(f"`{name}`" for name in (entry.name, *entry.aliases))
    parameters = [f"`{item.name}` {item.default:g}：{chinese(item.about)}" for item in entry.parameters]
    if entry.windows:
        parameters = [f"`windows` {'、'.join(map(str, entry.windows))}"]
    about = chinese(entry.about)
    source = entry.source
    for english, words in _SOURCE.items():
        source = source.replace(english, words)
    return _row(
        f"{names} {about if about.startswith(entry.title) else f'{entry.title}：{about}'}",
        "；".join(parameters),
        f"{columns_of(entry)}，{chinese(entry.unit)}",
        f"{formula_of(entry)} {source}",
    )


def functions() -> str:
    """Return the columns of the bars, the functions by group, and what is refused."""
    groups = [
        "\n".join(
            [
                f"\n### {title.partition(':')[0]}\n",
                "| 函数 | 含义 | 增量 |",
                "| --- | --- | --- |",
                *(_function(one) for one in FUNCTIONS.values() if one.group == group),
            ]
        )
        for group, title in TITLES.items()
    ]
    reasons = [
        f"* {'、'.join(names)}：{translate(reason, 'zh')}。{translate(REMEDIES.get(reason, ''), 'zh')}"
        for reason, names in refused().items()
    ]
    return "\n".join([*_bars(), *groups, "\n### 拒绝的函数及原因\n", *reasons]) + "\n"


def _bars() -> Iterator[str]:
    yield "### 行情\n\n| 名称 | 别名 | 含义 |\n| --- | --- | --- |"
    for column in BARS.values():
        others = "、".join(f"`{name}`" for name, of in ALIASES.items() if of == column.name)
        yield _row(f"`{column.name}`", others, column.zh)
    for name, definition in DEFINED.items():
        yield _row(f"`{name}`", "", f"流通股本（股），`{definition}`")


def _function(function: Function) -> str:
    same = f"；同 `{function.definition}`" if function.definition and "同 " not in function.zh else ""
    return _row(f"`{function.signature}`", f"{function.zh}{same}", _CARRIED[carried(function)])


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


#: Name of a page beside its English one, and what makes it.
PAGES: dict[str, Callable[[], str]] = {
    "tasks-yaml.md": fields_page,
    "lake.md": tables_page,
    "cli.md": commands_page,
    "rest.md": rest_page,
    "errors.md": errors_page,
}
#: Name of a page of docs/zh that is written but for a part, and what makes that part.
PARTS: dict[str, Callable[[], str]] = {
    "sources.md": sources_tables,
    "indicators.md": catalogue,
    "formulas.md": functions,
}
