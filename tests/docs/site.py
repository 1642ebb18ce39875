"""Builds the documentation with Zensical into build/site: `make docs`. A warning is an error."""

import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "build" / "site"
FETCHED = {"script": "src", "img": "src", "source": "src", "iframe": "src", "link": "href"}  # by a browser, unasked


def main() -> int:
    """Build the site and check that its pages fetch nothing."""
    done = subprocess.run([sys.executable, "-m", "zensical", "build", "--strict"], cwd=ROOT, check=False)  # noqa: S603
    if done.returncode:
        return done.returncode
    fetched = [f"{page.relative_to(SITE)}: fetches {url}" for page in SITE.rglob("*.html") for url in fetches(page)]
    print("\n".join(fetched) or f"open {SITE / 'index.html'}")
    return int(bool(fetched))


def fetches(page: Path) -> list[str]:
    """Return what a browser would load from elsewhere when it opens this page."""
    return [url for url in _loaded(page.read_text(encoding="utf-8")) if url.startswith(("http:", "https:", "//"))]


def _loaded(html: str) -> Iterator[str]:
    found: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            values = dict(attrs)
            if tag == "link" and values.get("rel") in ("canonical", "next", "prev", "alternate"):
                return
            if url := values.get(FETCHED.get(tag, "")):
                found.append(url)

    Tags().feed(html)
    yield from found
