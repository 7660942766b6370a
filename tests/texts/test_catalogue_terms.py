"""What a native reader of the Chinese would notice: marks of another script, and two words for the same thing.

All Chinese of the product is read: what the program says, its pages, its tables, and the Chinese documents.
"""

import json
import re
from collections.abc import Iterator

import pytest
from support.spoken import PACKAGE

from mystocks_dagster.api.pages.translations import _WORDS
from mystocks_dagster.datasets.registry import files
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.texts.declarations import column_names, texts
from mystocks_dagster.texts.entries import entries

ROOT = PACKAGE.parent
DOCUMENTS = sorted(
    [ROOT / "README.zh-CN.md", *(ROOT / "docs").glob("*.zh-CN.md"), *(ROOT / "docs" / "zh").glob("*.md")]
)
TEMPLATES = sorted((PACKAGE / "project" / "templates").glob("*_zh.*"))
#: What another program writes, a block of code, a link's address, a tag of HTML: no sentence of ours.
NO_SENTENCE = re.compile(r"```.*?```|`[^`\n]*`|\]\([^)]*\)|<[^>\n]*>|\bEMA\([^)]*\)|\"\"\"", re.S)
#: The language of formulas has English marks, and so has YAML.
QUOTED = re.compile(r"“[^”]*”|INPUT: N\([^)]*\);")
CHINESE = "[\u4e00-\u9fff]"
#: One term for each thing; the others of the same meaning are not used.
TERMS = {
    "响应、返回": "应答|答复",
    "归档": "档案|存档",
    "分红送配": "公司行为|公司行动",
    "北京时间": "上海时间",
    "日期、交易日": "日子",
    "重置": "复位",
    "密钥": "机密",
    "你": "您",
    "网页": "Web 界面|网页界面",
    "是不是": "是否想写",
    "除权比例": "复权比例",
    "权益": "(?<!估算)(?<!单位)净值",
    "滚动检验": "滚动前推|前向滚动",
    "计算集群": "引擎",
    "渠道": "频道",
    "常驻任务": "守护任务",
    "任务组": "任务群",
    "校验值": "(?<!告警)摘要",
    "已装载的交易日": "已加载的(交易日|日期)",
    "补数": "补录|回填数据",
    "调用栈": "回溯",
}


def product() -> Iterator[tuple[str, str]]:
    """Yield each Chinese text of the product with its place."""
    for english, chinese in {**entries(), **texts(), **column_names()}.items():
        yield english, chinese
    for key, (chinese, _) in _WORDS.items():
        yield f"pages: {key}", chinese
    for name, table in TABLES.items():
        yield f"table {name}", f"{table.title} {table.about_zh}"
    for file in [*DOCUMENTS, *TEMPLATES, *sorted((PACKAGE / "alerts").glob("texts.py"))]:
        text = (
            NO_SENTENCE.sub("§", file.read_text(encoding="utf-8")) if file.suffix == ".md" else file.read_text("utf-8")
        )
        for number, line in enumerate(text.splitlines(), 1):
            yield f"{file.relative_to(ROOT)}, about line {number}", line


@pytest.fixture(scope="module")
def chinese() -> list[tuple[str, str]]:
    return [(place, text) for place, text in product() if re.search(CHINESE, text)]


def test_all_of_the_product_is_read(chinese: list[tuple[str, str]]):
    places = {place.partition(",")[0] for place, _ in chinese}
    assert {"README.zh-CN.md", "docs/zh/web.md", "pages: tasks", "table daily_bars"} <= places
    assert len(chinese) > 4000


@pytest.mark.parametrize(("term", "others"), TERMS.items(), ids=TERMS)
def test_a_thing_has_one_name_in_chinese(term: str, others: str, chinese: list[tuple[str, str]]):
    assert [(place, text) for place, text in chinese if re.search(others, text)] == [], f"write: {term}"


def test_no_english_mark_stands_between_chinese_words(chinese: list[tuple[str, str]]):
    sentences = [(place, QUOTED.sub("", text)) for place, text in chinese if not place.endswith((".yaml", ".txt"))]
    wrong = re.compile(rf"{CHINESE}[,;!?]|[,;!?]{CHINESE}|{CHINESE}:(?!\d)|{CHINESE}\(|\){CHINESE}")
    prose = [(place, text) for place, text in sentences if not re.search(r"_zh\.|texts\.py", place)]
    assert [(place, text) for place, text in prose if wrong.search(text)] == []


def test_a_space_stands_between_chinese_and_latin_words(chinese: list[tuple[str, str]]):
    touching = re.compile(rf"{CHINESE}[A-Za-z]|[A-Za-z]{CHINESE}")
    told = {**entries(), **texts()}
    assert [text for english, text in told.items() if touching.search(text)] == []
    pages = [text for text, _ in _WORDS.values()]
    assert [text for text in pages if touching.search(re.sub(r"\{\w+\}", "", text))] == []
    documents = [(place, text) for place, text in chinese if ".md, about line" in place]
    assert [(place, text) for place, text in documents if touching.search(text)] == []


def test_nothing_is_doubled_or_left_over(chinese: list[tuple[str, str]]):
    twice = re.compile(r"，，|。。|：：|；；|、、|的的|了了|请请|没有没有|，。|。，")
    assert [(place, text) for place, text in chinese if twice.search(text)] == []


def test_every_shipped_dataset_says_in_chinese_what_it_holds():
    assert len(files()) >= 20
    datasets = [table for name, table in TABLES.items() if name in files()]
    assert [table.name for table in datasets if not re.search(CHINESE, table.about_zh)] == []


def test_the_comments_of_a_new_project_are_chinese():
    comments = json.loads((PACKAGE / "project" / "templates" / "comments_zh.json").read_text(encoding="utf-8"))
    wrong = re.compile(rf"{CHINESE}[,;]|[,;]{CHINESE}")
    assert [text for part in comments.values() for text in part.values() if wrong.search(text)] == []
