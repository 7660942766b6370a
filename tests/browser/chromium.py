"""A headless Chromium, where there is one."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

#: It talks to nobody but the servers under test.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
#: The machine may be busy with other tests.
PATIENCE = 60_000


def executable() -> str | None:
    """Return where Chromium is; None where there is none."""
    if Path("/usr/bin/chromium").exists():
        return "/usr/bin/chromium"
    return next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )


@contextmanager
def open_page(language: str = "zh-CN", arguments: Sequence[str] = (), **context_options: Any) -> Iterator[Page]:
    """Open a page of 1280 x 800, in a browser with further arguments and in a context with further options."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=[*_ARGUMENTS, *arguments])
        context = browser.new_context(
            viewport={"width": 1280, "height": 800}, locale=language, timezone_id="Asia/Shanghai", **context_options
        )
        context.set_default_timeout(PATIENCE)
        yield context.new_page()
        browser.close()
