"""The picture of the architecture, made from the import contract: docs/images/architecture.svg, English and Chinese.

`PYTHONPATH=tests .venv/bin/python -m support.architecture` writes it again; tests/docs/test_architecture.py compares.
"""

from collections.abc import Iterator, Mapping
from html import escape

from support.maps import ROOT, layers

IMAGES = ROOT / "docs" / "images"
#: What a band of the picture is, in English and Chinese, and the packages in it; the highest band first.
BANDS: tuple[tuple[tuple[str, str], tuple[str, ...]], ...] = (
    (("ways in", "入口"), ("cli", "web", "api", "assistant", "manager")),
    (("one project", "同一个项目"), ("project",)),
    (("Dagster", "Dagster"), ("factory", "alerts", "scheduling", "runs", "history")),
    (("one attempt", "一次尝试"), ("execution", "tasks", "screens")),
    (("data", "数据"), ("sources", "lake")),
    (("as data", "声明"), ("datasets", "strategies", "taskfile")),
    (("the market", "市场知识"), ("market",)),
)
WORDS: Mapping[str, tuple[str, str]] = {
    "cli": ("commands", "命令行"),
    "web": ("web interface", "网页"),
    "api": ("pages and REST", "页面与 REST"),
    "assistant": ("assistants (MCP)", "AI 助手（MCP）"),
    "manager": ("Python", "Python"),
    "project": ("find, start, stop, edit, read; permissions", "查找、启动、停止、编辑、读取；权限"),
    "factory": ("tasks.yaml to ops and assets", "翻译 tasks.yaml"),
    "alerts": ("alerts", "告警"),
    "scheduling": ("schedules", "调度"),
    "runs": ("runs", "运行"),
    "history": ("history", "历史"),
    "execution": ("guarded process", "受监督的进程"),
    "tasks": ("task functions", "任务函数"),
    "screens": ("screens", "选股"),
    "sources": ("akshare, baostock, 通达信, your files …", "akshare、baostock、通达信、自己的文件……"),
    "lake": ("Delta tables", "Delta 数据湖"),
    "datasets": ("datasets", "数据集"),
    "strategies": ("strategies", "策略"),
    "taskfile": ("tasks.yaml", "tasks.yaml"),
    "market": ("calendar, tables, formulas, rules of trading", "交易日历、数据表、公式、交易规则"),
}
_WIDTH, _LEFT, _HEIGHT, _GAP = 960, 130, 56, 22
#: Legible on white and on black pages.
_STYLE = (
    "text{font-family:system-ui,sans-serif;font-size:14px;fill:#16202e;text-anchor:middle}"
    ".p{font-family:ui-monospace,monospace;font-size:11px;fill:#5a6675}.b{text-anchor:start;font-weight:600}"
    "rect{fill:#fff;stroke:#b8323a;rx:6px}.g{fill:#f6f7fa;stroke:none}path{stroke:#5a6675;fill:none}"
)


def picture(language: int) -> str:
    """Return the SVG, in English (0) or Chinese (1).

    Raises:
        ValueError: A band stands above one that it does not use, by the contract.
    """
    _check()
    height = len(BANDS) * (_HEIGHT + _GAP) + _GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">'
    shapes = [line for number, band in enumerate(BANDS) for line in _band(number, band, language)]
    ground = f'<rect class="g" width="{_WIDTH}" height="{height}"/>'
    return "\n".join((head, f"<style>{_STYLE}</style>", ground, *shapes, "</svg>")) + "\n"


def _check() -> None:
    order = {name: number for number, layer in enumerate(layers()) for name in layer}
    lowest = -1
    for (words, _), names in BANDS:
        if min(order[name] for name in names) <= lowest:
            raise ValueError(f"{words} is not below the band above it in pyproject.toml")
        lowest = max(order[name] for name in names)


def _band(number: int, band: tuple[tuple[str, str], tuple[str, ...]], language: int) -> Iterator[str]:
    title, names = band
    top = _GAP + number * (_HEIGHT + _GAP)
    yield f'<text class="b" x="16" y="{top + 33}">{escape(title[language])}</text>'
    width = (_WIDTH - _LEFT - 16 * len(names)) / len(names)
    for place, name in enumerate(names):
        left = _LEFT + place * (width + 16)
        middle = left + width / 2
        yield f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{_HEIGHT}"/>'
        yield f'<text x="{middle:.1f}" y="{top + 25}">{escape(WORDS[name][language])}</text>'
        yield f'<text class="p" x="{middle:.1f}" y="{top + 43}">{name}/</text>'
    if number + 1 < len(BANDS):
        middle, end = (_LEFT + _WIDTH - 16) / 2, top + _HEIGHT + _GAP
        yield f'<path d="M{middle} {top + _HEIGHT}V{end}m-5 -7l5 7l5 -7"/>'


#: File to the language of its words.
PICTURES: Mapping[str, int] = {"architecture.svg": 0, "architecture.zh.svg": 1}


if __name__ == "__main__":
    for name, language in PICTURES.items():
        (IMAGES / name).write_text(picture(language), encoding="utf-8")
