"""What the site needs beside the pages: their language, and links that GitHub follows and a site cannot.

MkDocs calls these functions: https://www.mkdocs.org/user-guide/configuration/#hooks
"""

import re
from pathlib import Path
from typing import Any

from chinese_reference import PAGES, PARTS
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation, Section
from mkdocs.structure.pages import Page

#: A link out of docs/, to files that are not part of the site; the text stays.
_OUTSIDE = re.compile(r"\[([^]\n]+)\]\((?:\.\./)+(?:tests|bench|mystocks_dagster|[\w.-]+\.md|tasks\.yaml)[^)\n]*\)")
#: A fence with more than a language: ```yaml file=tasks.yaml
_FENCE = re.compile(r"^(\s*```\w+) (?:file=(\S+)|\S+)$", re.MULTILINE)
#: A line that ends in Chinese and goes on in Chinese, or in code or a link behind a Chinese mark: a browser would show
#: the break as a space.
_CHINESE = r"[\u3000-\u9fff\uff00-\uffef“”‘’…]"
_BREAK = re.compile(rf"(?<={_CHINESE})\n *(?={_CHINESE})|(?<=[，。、：；（])\n *(?=[`\[])")
#: A link to a page, without a heading of it.
_PAGE = re.compile(r"\]\((?:\.\./)?([\w-]+\.md)\)")
#: What a reader on GitHub gets in place of a part that is made when the site is built.
_PART = re.compile(r"^<!-- Generated.*?^<!-- End of what is generated. -->$", re.MULTILINE | re.DOTALL)
#: The folder has no page of its own in the repository.
_DECISIONS = "decisions.md"


def chinese(page: Page) -> bool:
    """Return whether a page is in Chinese."""
    return page.file.src_uri.startswith("zh/") or page.file.src_uri.endswith(".zh-CN.md")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the list of decisions, made from their titles, and the reference in Chinese."""
    folder = Path(config.docs_dir) / "decisions"
    rows = [
        (path.name, path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")) for path in folder.glob("*.md")
    ]
    lines = [f"* [{title}](decisions/{name})" for name, title in sorted(rows)]
    text = (
        "# Decisions\n\nChoices that a newcomer would question, and why they were made.\n\n" + "\n".join(lines) + "\n"
    )
    files.append(File.generated(config, _DECISIONS, content=text))
    for name, page in PAGES.items():
        files.append(File.generated(config, f"zh/{name}", content=page()))
    for file in files.documentation_pages():
        if file.src_uri.startswith("decisions/"):
            file.inclusion = file.inclusion.NOT_IN_NAV
    return files


def on_page_markdown(markdown: str, page: Page, files: Files, **_: Any) -> str:
    """Turn links that leave the site into text, and what stands behind the language of a code block into a title."""
    markdown = re.sub(r"\]\(((?:\.\./)?)decisions/?\)", rf"](\1{_DECISIONS})", markdown)
    if not page.file.src_uri.startswith("decisions/"):
        markdown = _outside(markdown, page)
    if chinese(page):
        if part := PARTS.get(page.file.src_uri.removeprefix("zh/")):
            markdown = _PART.sub(lambda _: part(), markdown)
        markdown = _PAGE.sub(lambda match: _to_chinese(match, page, files), markdown)
        parts = re.split(r"(^```.*?^```$)", markdown, flags=re.MULTILINE | re.DOTALL)
        markdown = "".join(part if part.startswith("```") else _BREAK.sub("", part) for part in parts)
    return _FENCE.sub(lambda match: f'{match[1]} title="{match[2]}"' if match[2] else match[1], markdown)


def _to_chinese(link: re.Match[str], page: Page, files: Files) -> str:
    """Return a link of a Chinese page to the Chinese page of that name; a page may name its own English one."""
    target = f"zh/{link[1]}"
    if target == page.file.src_uri or not files.get_file_from_path(target):
        return link[0]
    return f"]({link[1]})" if page.file.src_uri.startswith("zh/") else f"]({target})"


def _outside(markdown: str, page: Page) -> str:
    above = page.file.src_uri.count("/")
    return _OUTSIDE.sub(lambda match: match[1] if match[0].count("../") > above else match[0], markdown)


def on_page_context(context: dict[str, Any], page: Page, config: MkDocsConfig, nav: Navigation) -> dict[str, Any]:
    """Show the theme's words and the navigation in the page's language."""
    section = next(item for item in nav.items if isinstance(item, Section) and item.title == "中文")
    in_chinese = chinese(page)
    config.theme["language"] = "zh" if in_chinese else "en"
    config.extra["homepage"] = "zh/" if in_chinese else "."
    items = section.children if in_chinese else [item for item in nav.items if item is not section]
    own = Navigation(items, nav.pages)
    own.homepage = nav.homepage
    return {**context, "nav": own}
