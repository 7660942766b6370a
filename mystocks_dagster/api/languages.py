"""The language of a response: Chinese or English, as the request asks."""

from typing import Any, Literal

from fastapi import Request

from mystocks_dagster.texts import catalogue

Language = Literal["zh", "en"]
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


def rest_language(request: Request) -> Language:
    """Return the language of REST's messages: English, unless the request prefers Chinese."""
    return choose(None, None, request.headers.get("accept-language", ""), otherwise="en")


def translate_error(body: dict[str, Any], language: Language) -> dict[str, Any]:
    """Return the body of an error with its messages in a language; kinds, ids and places stay as they are."""
    problems = [
        {**problem, **{name: catalogue.translate(problem[name], language) for name in ("message", "hint")}}
        for problem in body["problems"]
    ]
    return {**body, "message": catalogue.translate(body["message"], language), "problems": problems}
