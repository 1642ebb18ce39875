"""Everything above -> one index.html that opens offline: styles, script and charts inline, no request."""

import platform
import re
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from dlx import __version__
from dlx.report.charts import Figure
from dlx.report.comparison import Comparisons
from dlx.report.diagnosis.finding import Diagnosis
from dlx.report.listing import Listing
from dlx.report.page.data import to_json
from dlx.report.page.script import policy, script
from dlx.report.page.templates import environment, now
from dlx.report.provenance import Provenance
from dlx.report.tables import Table
from dlx.report.text import visible


@dataclass(frozen=True)
class Page:
    """What the page shows: `setting_columns` of the table head its rows; `command` wrote the page.

    `sections`: by heading, the figures in it. `parameters`: a heading and a table for each architecture.
    `refresh`: seconds after which the page reloads itself, while somebody watches a sweep.
    `live`: what the script works on (see page/data.py), None for a page without a script; `libraries`:
    Vega's, for that script.
    """

    title: str
    finding: str
    table: Table
    setting_columns: int
    sections: dict[str, list[Figure]]
    parameters: list[tuple[str, Table]]
    listing: Listing
    command: str
    refresh: int | None = None
    comparisons: Comparisons | None = None
    diagnosis: Diagnosis | None = None
    provenance: Provenance | None = None
    live: dict[str, Any] | None = None
    libraries: str = ""


def render(page: Page) -> str:
    """Return the HTML. Every text is escaped but the script and the charts, which the renderer escaped."""
    from markupsafe import Markup

    text = script(page.libraries) if page.live else ""
    return (
        environment("dlx.report.page")
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
            policy=policy(text),
            script=Markup(text),  # noqa: S704
            data=Markup(to_json(page.live or {})),  # noqa: S704
            written=now(),
            versions=_versions(page.listing.torch),
        )
    )


def settled(html: bytes) -> bytes:
    """Return a page that no longer reloads itself."""
    return re.sub(rb'<meta http-equiv="refresh" content="\d+">\n', b"", html)


def _own_ids(figure: Figure) -> str:
    """Put the chart's name before its ids: every chart calls its clip paths clip0, clip1, ..."""
    return re.sub(r'(\bid="|url\(#)', rf"\g<1>{figure.name}-", figure.svg)


def _versions(torch: str) -> list[str]:
    versions = [f"dlx {__version__}", f"Python {platform.python_version()}"]
    versions += [f"{name} {version(name)}" for name in ("pandas", "vl-convert-python")]
    return [*versions, *([f"runs: torch {torch}"] if torch else [])]
