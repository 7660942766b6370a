"""The API reference at /docs: HTML made from the OpenAPI document, without scripts or other hosts; and the document."""

from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse

from mystocks_dagster.api.languages import Language, page_language, translate_document

router = APIRouter(include_in_schema=False)
_VARY = {"Vary": "Accept-Language, Cookie"}
_PAGE = """<!doctype html><html lang="{tag}"><head><meta charset="utf-8"><title>{title} · MyStocks</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,"><style>
:root{{--ink:#1c2430;--page:#fff;--link:#3b4fd8}}
@media(prefers-color-scheme:dark){{:root{{--ink:#e6e9ef;--page:#14181d;--link:#8c9cff}}}}
body{{color:var(--ink);background:var(--page);
font:15px/1.5 system-ui,"PingFang SC","Noto Sans CJK SC","Microsoft YaHei",sans-serif;max-width:62em;
margin:1.5em auto;padding:0 1em;overflow-wrap:anywhere}}
a{{color:var(--link)}} nav a{{margin-right:1em}} h1{{font-size:22px}}
code{{background:#8882;padding:.1em .3em;border-radius:3px}}
b.m{{display:inline-block;width:4.5em;font-family:monospace}}
details{{border-bottom:1px solid #8884;padding:.4em 0}} summary{{cursor:pointer}}
td{{padding:.1em 1em .1em 0;vertical-align:top}} td:nth-child(-n+3){{overflow-wrap:normal}}
</style></head><body><nav><a href="/">MyStocks</a> <a href="/docs?lang=zh" lang="zh-CN">中文</a>
<a href="/docs?lang=en" lang="en">English</a></nav><main><h1>{title}</h1>
<p>{description}</p><p>{document}<a href="/openapi.json?lang={language}">/openapi.json</a></p>{calls}
</main></body></html>"""
_WORDS: dict[Language, dict[str, str]] = {
    "zh": {
        "tag": "zh-CN",
        "title": "REST 接口",
        "document": "OpenAPI 文档：",
        "required": "必填",
        "optional": "选填",
        "or": " 或 ",
        "path": "路径",
        "query": "查询",
        "header": "请求头",
        "body": "正文",
    },
    "en": {
        "tag": "en",
        "title": "REST",
        "document": "OpenAPI document: ",
        "required": "required",
        "optional": "optional",
        "or": " or ",
        "path": "path",
        "query": "query",
        "header": "header",
        "body": "body",
    },
}


@router.get("/openapi.json")
def document(request: Request) -> JSONResponse:
    """Return the OpenAPI document; in Chinese for whoever asks for that."""
    language = page_language(request, otherwise="en")
    return JSONResponse(translate_document(request.app.openapi(), language), headers=_VARY)


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    """Return the API reference."""
    language = page_language(request)
    document, words = translate_document(request.app.openapi(), language), _WORDS[language]
    calls = [
        _call(path, method, call, words)
        for path, methods in document["paths"].items()
        for method, call in methods.items()
    ]
    description = _prose(document["info"]["description"])
    page = _PAGE.format(description=description, calls="\n".join(calls), language=language, **_shown(words))
    return HTMLResponse(page, headers=_VARY)


def _shown(words: dict[str, str]) -> dict[str, str]:
    return {name: escape(words[name]) for name in ("tag", "title", "document")}


def _call(path: str, method: str, call: dict[str, Any], words: dict[str, str]) -> str:
    rows = [
        (f"<code>{escape(item['name'])}</code>", words[item["in"]], _requirement(item, words), _prose(item))
        for item in call.get("parameters", [])
    ]
    if "requestBody" in call:
        body = call["requestBody"]
        rows.append((words["body"], "JSON", _requirement(body, words), escape(_body(call, words))))
    table = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    head = f'<b class="m">{method.upper()}</b> <code>{escape(path)}</code>'
    return f"<details><summary>{head} {_prose(call)}</summary><table>{table}</table></details>"


def _prose(text: str | dict[str, Any]) -> str:
    """Return a description as HTML: what stands between backticks is code."""
    if isinstance(text, dict):
        text = text.get("description", "")
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if number % 2 else piece for number, piece in enumerate(pieces))


def _requirement(item: dict[str, Any], words: dict[str, str]) -> str:
    return words["required" if item.get("required") else "optional"]


def _body(call: dict[str, Any], words: dict[str, str]) -> str:
    schema = call["requestBody"]["content"]["application/json"]["schema"]
    options = schema.get("anyOf", [schema])
    return words["or"].join(option["$ref"].rpartition("/")[2] for option in options if "$ref" in option)
