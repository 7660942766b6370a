"""REST's document and its page, in the language of whoever reads them."""

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

#: A sentence of English: names stand alone or within code.
ENGLISH = re.compile(r"\b[A-Za-z]+(?: [a-z]+){3,}")


def described(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part[name] for name in ("description", "summary") if isinstance(part.get(name), str)]
        return [*own, *(text for value in part.values() for text in described(value))]
    return [text for value in part for text in described(value)] if isinstance(part, list) else []


def bare(part: Any) -> Any:
    if isinstance(part, dict):
        texts = ("description", "summary")
        return {name: "" if name in texts and isinstance(value, str) else bare(value) for name, value in part.items()}
    return [bare(value) for value in part] if isinstance(part, list) else part


def test_a_program_gets_the_document_in_english_and_a_chinese_reader_in_chinese(client: TestClient) -> None:
    english = client.get("/openapi.json").json()
    asked = (
        {"params": {"lang": "zh"}},
        {"headers": {"accept-language": "zh-CN,zh;q=0.9"}},
        {"headers": {"cookie": "lang=zh"}},
    )
    for request in asked:
        chinese = client.get("/openapi.json", **request).json()
        assert bare(chinese) == bare(english)  # the same calls, by the same names
        assert [text for text in described(chinese) if ENGLISH.search(re.sub("`[^`]*`", "", text))] == []
        assert chinese["paths"]["/api/tasks/{task_id}/start"]["post"]["summary"] == "启动任务"
    assert english["paths"]["/api/tasks/{task_id}/start"]["post"]["summary"] == "Start Task"


@pytest.mark.parametrize(
    ("language", "tag", "title", "must"), [("zh", "zh-CN", "REST 接口", "必填"), ("en", "en", "REST", "required")]
)
def test_the_page_of_the_calls_is_in_one_language(
    client: TestClient, language: str, tag: str, title: str, must: str
) -> None:
    text = client.get("/docs", params={"lang": language}).text
    assert f'<html lang="{tag}">' in text
    assert f"<h1>{title}</h1>" in text
    assert f"<td>{must}</td>" in text
    prose = re.sub(r"<(code|style)\b.*?</\1>|<[^>]+>", "|", text, flags=re.DOTALL)
    assert bool(ENGLISH.search(prose)) == (language == "en")
    assert f'href="/openapi.json?lang={language}"' in text
