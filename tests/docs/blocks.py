"""The fenced blocks of README.md and docs/, and how a test runs them.

A block's title says what it is. A file name means that the block is a file, saved under this name before the
blocks that follow. "needs ..." means that a test cannot run it (a cluster, a GPU, a download), so that its
commands are only composed. In `console` blocks, commands follow `$ `; other lines are what is printed.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^( *)```(\w*)(?: title=\"([^\"]*)\")?([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LANGUAGES = ("console", "python", "yaml", "csv")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
GENERATED = re.compile(r"<!-- generated: .*?<!-- end -->", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, title and text."""

    language: str
    title: str
    text: str
    generated: bool = False  # the command at the top of a file of conf/, which tests/test_conf.py runs

    @property
    def is_file(self) -> bool:
        """Whether the title is the name of the file that the block holds."""
        return bool(self.title) and not self.needs

    @property
    def needs(self) -> bool:
        """Whether the block needs what a test does not have."""
        return self.title.startswith("needs ")

    @property
    def commands(self) -> list[list[str]]:
        """The commands of a `console` block, as words."""
        joined = self.text.replace("\\\n", " ")
        lines = [line[2:] for line in joined.splitlines() if line.startswith("$ ")]
        parts = [part for line in lines for part in line.split(" && ")]
        return [shlex.split(part, comments=True) for part in parts]


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page, in order."""
    return list(_blocks(page.read_text(encoding="utf-8")))


def _blocks(text: str) -> Iterator[Block]:
    parts = [part.span() for part in GENERATED.finditer(text)]
    for found in FENCE.finditer(text):
        generated = any(start < found.start() < end for start, end in parts)
        yield Block(found[2], found[3] or "", found[5], generated)


def page_name(page: Path) -> str:
    """Return a page's name relative to the repository."""
    return str(page.relative_to(ROOT))
