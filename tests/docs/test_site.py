"""The site builds without a warning, holds every page and fetches nothing; links are right."""

import re

import pytest
import yaml

from tests.docs.blocks import PAGES, ROOT, page_name
from tests.docs.site import SITE, build, fetches

DOCS = ROOT / "docs"
LINKING = [ROOT / "CHANGELOG.md", ROOT / "SECURITY.md", *PAGES]


def pages_of(entry) -> list[str]:
    """Return the pages that an entry of the navigation holds."""
    if isinstance(entry, str):
        return [entry]
    return [
        page for each in (entry.values() if isinstance(entry, dict) else entry) for page in pages_of(each)
    ]


def test_the_navigation_holds_every_page():
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    pages = pages_of(settings["nav"])
    assert sorted(pages) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_fetches_nothing():
    done = build()
    assert done.returncode == 0
    pages = list(SITE.rglob("*.html"))
    assert len(pages) > 30
    assert {page.name: urls for page in pages if (urls := fetches(page))} == {}


@pytest.mark.parametrize("page", LINKING, ids=page_name)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(((?!https?:)[^)\s]+)\)", page.read_text(encoding="utf-8")):
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", each.lower()).strip()) for each in headings}
            assert anchor in slugs, link
