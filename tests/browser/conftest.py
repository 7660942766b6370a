"""Fixtures of the tests in a browser."""

from collections.abc import Iterator

import pytest
from browser.chromium import open_page
from playwright.sync_api import Page


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with open_page() as page:
        yield page
