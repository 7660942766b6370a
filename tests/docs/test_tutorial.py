"""The tutorial and the how-tos, block by block as a reader types them, in a project of a small simulated market.

A block's fence says what it is: `file=NAME` is written, `top-of=NAME` is written above what the file has, `console` is
typed. A `network` block is typed with the simulated source in place of the real ones, into a lake of its own.
"""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from support.blocks import DOCS, Block, blocks
from support.commands import Commands, commands_in
from support.project import ROOT, Folder, make_folder
from support.receivers import Webhook, webhook

pytestmark = pytest.mark.slow

#: In their order: a how-to may use what the tutorial has made.
PAGES = ("tutorial.md", "how-to.md")
#: Ends with 1 by right: no daemon runs, and the hosts of the real sources are out of reach of the tests.
MAY_FAIL = ("doctor",)
#: These set up the reader's shell, which the test has set up; and tests/daemon/test_demo.py runs the demo.
DONE = ("make demo", "source .venv/bin/activate", "export ALERT_URL=")


@pytest.fixture(scope="module")
def hook() -> Iterator[Webhook]:
    with webhook() as hook:
        yield hook


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, hook: Webhook) -> Folder:
    folder = make_folder(tmp_path_factory.mktemp("tutorial") / "project")
    shutil.copy(ROOT / "tasks.yaml", folder.root)
    folder.env = {
        "MYSTOCKS_SIMULATED": "symbols=12,start=2026-03-02",
        "MYSTOCKS_NOW": "2026-06-01T18:30:00+08:00",
        "ALERT_URL": hook.url,
    }
    return folder


@pytest.fixture
def cli(folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    for name, value in folder.env.items():
        monkeypatch.setenv(name, value)
    return commands_in(folder, monkeypatch, capsys)


class Reader:
    """Does what a page says."""

    def __init__(self, cli: Commands) -> None:
        self.cli = cli
        self.printed: dict[str, str] = {}

    def read(self, block: Block) -> None:
        """Write or type a block."""
        kind, _, name = block.mark.partition("=")
        path = self.cli.folder.root / name
        if kind == "file":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif kind == "top-of":
            path.write_text(block.text + path.read_text(encoding="utf-8"), encoding="utf-8")
        else:
            assert (block.language, block.mark) in {("console", mark) for mark in ("", "network", "serves")}, block
            for line in block.lines if block.mark != "serves" else ():
                self.type(line, network=block.mark == "network")

    def type(self, line: str, *, network: bool) -> None:
        """Type a line."""
        if line.startswith(DONE):
            return
        words = shlex.split(line)
        with self.cli.monkeypatch.context() as patch:
            if network:
                patch.setenv("MYSTOCKS_SOURCE", "simulated")
            while "=" in words[0]:
                patch.setenv(*words.pop(0).split("=", 1))
            if words[0] != "mystocks":
                subprocess.run(words, cwd=self.cli.folder.root, check=True)
                return
            if words[1] in MAY_FAIL:
                assert "calendar" in self.cli.folder.mystocks(*words[1:], code=None)
                return
            self.printed[line] = self.cli(*words[1:])


@pytest.fixture
def demo(cli: Commands) -> Commands:
    """The commands, over the demo's lake with what the pages use of it."""
    if not (cli.folder.root / "demo").exists():
        for task in ("daily_data_sync", "calc_technical_indicators"):
            cli("--demo", "run", task)
    return cli


@pytest.mark.parametrize("name", PAGES)
def test_each_block_of_the_page_works_as_it_is_written(demo: Commands, hook: Webhook, name: str) -> None:
    reader = Reader(demo)
    for block in blocks(DOCS / name):
        reader.read(block)
    if name == "tutorial.md":
        assert "STRONG" in reader.printed["mystocks --demo data head screens"]
        assert "my_trend" in reader.printed["mystocks --demo data head backtests"]
        assert "evening_screen" in reader.printed["mystocks next"]
        assert len(hook.messages) == 1
        assert demo.json("data", "head", "daily_bars")[0]["date"] == "2026-06-01"  # in the lake of the real market
    else:
        rising = reader.printed["mystocks --demo run count_rising -p factor=1.02"]
        assert re.search(r"count_rising\s+success", rising)
        assert (demo.folder.root / "cn_data" / "calendars" / "day.txt").exists()
        assert "trend_gap" in reader.printed[next(line for line in reader.printed if "trend_gap" in line)]


@pytest.mark.parametrize("name", [*PAGES, "index.md"])
def test_the_chinese_page_has_the_same_blocks(name: str) -> None:
    english, chinese = blocks(DOCS / name), blocks(DOCS / "zh" / name)
    bare = [
        [(each.language, each.mark, each.lines) for each in page if each.language == "console"]
        for page in (english, chinese)
    ]
    assert bare[0] == bare[1]
    files = [
        [(each.mark, re.sub(r'""".*?"""', "", each.text)) for each in page if "=" in each.mark]
        for page in (english, chinese)
    ]
    assert files[0] == files[1]
    assert english


def test_a_block_that_serves_is_what_the_examples_start_too() -> None:
    served = [line for name in PAGES for block in blocks(DOCS / name) if block.mark == "serves" for line in block.lines]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert served == ["make ui"]
    assert re.search(r"^ui:.*\n\t@\$\(BIN\)/mystocks ui \$\(ARGS\)$", makefile, re.MULTILINE)
