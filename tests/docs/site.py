"""Builds the documentation with Zensical into build/site: `make docs`. A warning is an error."""

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "build" / "site"
FETCHED = {"script": "src", "img": "src", "source": "src", "iframe": "src", "link": "href"}  # without a click
NOT_FETCHED = {"canonical", "next", "prev", "alternate"}  # links that only say how pages belong together


def main() -> int:
    """Build the site and check that its pages fetch nothing from elsewhere."""
    done = build()
    if done.returncode:
        return done.returncode
    fetched = [
        f"{page.relative_to(SITE)} fetches {url}" for page in SITE.rglob("*.html") for url in fetches(page)
    ]
    print("\n".join(fetched) or f"open {SITE / 'index.html'}")
    return int(bool(fetched))


def build() -> "subprocess.CompletedProcess[str]":
    """Build the site; the exit code is not 0 if there is a warning."""
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    return subprocess.run(command, cwd=ROOT, check=False, text=True)


def fetches(page: Path) -> list[str]:
    """Return the addresses from which a browser would load something when it opens this page."""
    tags = _Tags()
    tags.feed(page.read_text(encoding="utf-8"))
    return [url for url in tags.loaded if url.startswith(("http:", "https:", "//"))]


class _Tags(HTMLParser):
    """Collects what the tags of a page load."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if (url := values.get(FETCHED.get(tag, ""))) and values.get("rel") not in NOT_FETCHED:
            self.loaded.append(url)
