"""The language of a response: Chinese or English, as the request asks."""

import json
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Literal

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection

from mystocks_dagster.api.responses import JsonResponse
from mystocks_dagster.texts import catalogue, declarations

Language = Literal["zh", "en"]
#: Keys of an OpenAPI document whose texts are for people.
_FOR_PEOPLE = ("description", "summary")
LANGUAGES: tuple[Language, ...] = ("zh", "en")


def choose(query: str | None, cookie: str | None, accept_language: str, otherwise: Language = "zh") -> Language:
    """Return the language of a page: the query's, else the cookie's, else the browser's, else `otherwise`.

    Examples:
        >>> choose(None, None, "en-GB,en;q=0.9,zh;q=0.8")
        'en'
        >>> choose(None, None, "de, zh-CN;q=0.5")
        'zh'
    """
    for language in (query, cookie):
        if language in ("zh", "en"):
            return "zh" if language == "zh" else "en"
    for part in sorted(accept_language.split(","), key=_weight, reverse=True):
        name = part.strip().lower()
        if name.startswith(("zh", "en")) and _weight(part) > 0:
            return "zh" if name.startswith("zh") else "en"
    return otherwise


def _weight(part: str) -> float:
    _, _, weight = part.partition(";q=")
    try:
        return float(weight) if weight else 1.0
    except ValueError:
        return 0.0


def rest_language(request: HTTPConnection) -> Language:
    """Return the language of REST's messages: English, unless the request prefers Chinese."""
    return choose(None, None, request.headers.get("accept-language", ""), otherwise="en")


class SpokenRoute(APIRoute):
    """A call whose success is a sentence in `message`, in the language that the request prefers."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler."""
        handle = super().get_route_handler()

        async def spoken(request: Request) -> Response:
            response = await handle(request)
            if request.method == "GET" or rest_language(request) == "en":
                return response
            content = json.loads(bytes(response.body))
            if not isinstance(content, dict) or not isinstance(content.get("message"), str):
                return response
            content["message"] = catalogue.translate(content["message"], "zh")
            return JsonResponse(content, response.status_code, background=response.background)

        return spoken


def translate_error(body: dict[str, Any], language: Language) -> dict[str, Any]:
    """Return the body of an error with its messages in a language; kinds, ids and places stay as they are."""
    problems = [
        {**problem, **{name: catalogue.translate(problem[name], language) for name in ("message", "hint")}}
        for problem in body["problems"]
    ]
    return {**body, "message": catalogue.translate(body["message"], language), "problems": problems}


def page_language(request: Request, otherwise: Language = "zh") -> Language:
    """Return the language of a page: `?lang=`, else the cookie's, else the browser's, else `otherwise`."""
    accepted = request.headers.get("accept-language", "")
    return choose(request.query_params.get("lang"), request.cookies.get("lang"), accepted, otherwise)


def translate_document(document: Any, language: Language) -> Any:
    """Return an OpenAPI document, or a part of it, with its descriptions and summaries in a language."""
    if isinstance(document, dict):
        return {
            name: declarations.declared(part, language)
            if name in _FOR_PEOPLE and isinstance(part, str)
            else translate_document(part, language)
            for name, part in document.items()
        }
    return [translate_document(part, language) for part in document] if isinstance(document, list) else document


def document_texts(document: Any) -> Iterator[str]:
    """Yield the paragraphs of the descriptions and summaries of an OpenAPI document."""
    parts = document.items() if isinstance(document, dict) else enumerate(document)
    for name, part in parts:
        if name in _FOR_PEOPLE and isinstance(part, str):
            yield from (" ".join(paragraph.split()) for paragraph in part.split("\n\n"))
        elif isinstance(part, (dict, list)):
            yield from document_texts(part)
