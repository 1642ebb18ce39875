"""Everything above -> one index.html that opens offline: styles and charts inline, no request to anywhere."""

import platform
import re
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from dlx import __version__
from dlx.report.charts import Figure
from dlx.report.diagnosis.finding import Diagnosis
from dlx.report.listing import Listing
from dlx.report.tables import Table
from dlx.report.text import visible

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True)
class Page:
    """What the page shows: `setting_columns` of the table head its rows; `command` wrote the page.

    `sections`: by heading, the figures in it. `parameters`: a heading and a table for each architecture.
    `refresh`: seconds after which the page reloads itself, while somebody watches a sweep.
    `comparisons`: of settings with the best one and the baseline.
    """

    title: str
    finding: str
    table: Table
    setting_columns: int
    sections: dict[str, list[Figure]]
    parameters: list[tuple[str, Table]]
    diagnosis: Diagnosis
    comparisons: Table
    listing: Listing
    command: str
    refresh: int | None = None


def render(page: Page) -> str:
    """Return the HTML. Every text is escaped but the charts, which the renderer has escaped."""
    from markupsafe import Markup

    return (
        environment("dlx.report")
        .get_template("page.html.jinja")
        .render(
            page=page,
            title=visible(page.title),
            command=visible(page.command),
            charts={
                figure.name: Markup(_own_ids(figure))  # noqa: S704
                for figures in page.sections.values()
                for figure in figures
            },
            written=now(),
            versions=_versions(page.listing.torch),
        )
    )


def settled(html: bytes) -> bytes:
    """Return a page that no longer reloads itself."""
    return re.sub(rb'<meta http-equiv="refresh" content="\d+">\n', b"", html)


def environment(*packages: str) -> "Environment":
    """Return Jinja's environment for templates that lie in these packages: everything is escaped."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=ChoiceLoader([PackageLoader(package, ".") for package in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["visible"] = visible
    return templates


def now() -> str:
    """Return the time of writing, as pages show it."""
    return datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")


def _own_ids(figure: Figure) -> str:
    """Put the chart's name before its ids: every chart calls its clip paths clip0, clip1, ..."""
    return re.sub(r'(\bid="|url\(#)', rf"\g<1>{figure.name}-", figure.svg)


def _versions(torch: str) -> list[str]:
    versions = [f"dlx {__version__}", f"Python {platform.python_version()}"]
    versions += [f"{name} {version(name)}" for name in ("pandas", "vl-convert-python")]
    return [*versions, *([f"runs: torch {torch}"] if torch else [])]
