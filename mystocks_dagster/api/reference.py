"""The API reference at /docs: HTML made from the OpenAPI document, without scripts or other hosts."""

from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>MyStocks REST</title>
<meta name="viewport" content="width=device-width"><style>
body{{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}}
code{{background:#8882;padding:.1em .3em;border-radius:3px}}
b.m{{display:inline-block;width:4.5em;font-family:monospace}}
details{{border-bottom:1px solid #8884;padding:.4em 0}} summary{{cursor:pointer}}
td{{padding:.1em 1em .1em 0;vertical-align:top}}
</style></head><body><h1>MyStocks REST</h1>
<p>{description}</p><p>OpenAPI document: <a href="/openapi.json">/openapi.json</a>.</p>{calls}</body></html>"""


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    """Return the API reference."""
    document = request.app.openapi()
    calls = [
        _call(path, method, call) for path, methods in document["paths"].items() for method, call in methods.items()
    ]
    return HTMLResponse(_PAGE.format(description=escape(document["info"]["description"]), calls="\n".join(calls)))


def _call(path: str, method: str, call: dict[str, Any]) -> str:
    rows = [
        (item["name"], item["in"], _requirement(item), item.get("description", ""))
        for item in call.get("parameters", [])
    ]
    if "requestBody" in call:
        rows.append(("body", "JSON", _requirement(call["requestBody"]), _body(call)))
    table = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    head = f'<b class="m">{method.upper()}</b> <code>{escape(path)}</code>'
    return f"<details><summary>{head} {escape(call.get('description', ''))}</summary><table>{table}</table></details>"


def _requirement(item: dict[str, Any]) -> str:
    return "required" if item.get("required") else "optional"


def _body(call: dict[str, Any]) -> str:
    schema = call["requestBody"]["content"]["application/json"]["schema"]
    options = schema.get("anyOf", [schema])
    return " or ".join(option["$ref"].rpartition("/")[2] for option in options if "$ref" in option)
