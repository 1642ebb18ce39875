"""An analysis -> its plots, and one index.html that opens offline: styles, script and charts are inline."""

import platform
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dlx import __version__
from dlx.report.analysis import Analysis
from dlx.report.charts import DrawnChart, discard_earlier, draw_charts
from dlx.report.comparison_text import sentence
from dlx.report.page.assets import environment, now, policy, script, vega
from dlx.report.page.data import page_data, script_json
from dlx.report.page.runs import counts, data_facts, environments, run_details, runs_table, train_commands
from dlx.report.plots.gallery import gallery
from dlx.report.tables import layer_tables
from dlx.report.text import visible, write_value

PLOTS = "plots"


def render_page(
    analysis: Analysis, output: Path, title: str, command: str, refresh: int | None = None
) -> str:
    """Write the plots into the folder `output`, and return the HTML of the page that belongs there.

    `command`: what wrote the page. `refresh`: seconds after which the page reloads itself, None for never.
    """
    plots = output / PLOTS
    plots.mkdir(parents=True, exist_ok=True)
    discard_earlier(plots)
    with ThreadPoolExecutor(max_workers=1) as pool:
        libraries = pool.submit(vega)  # takes a second, during the drawing
        charts = gallery(analysis)
        drawn = iter(draw_charts([chart for each in charts.values() for chart in each], plots))
        sections = {heading: [next(drawn) for _ in each] for heading, each in charts.items()}
    details = run_details(analysis, output)
    data = page_data(analysis, sections, details)
    return fill(analysis, sections, title, command, refresh, data, script(libraries.result()))


def fill(
    analysis: Analysis,
    sections: Mapping[str, list[DrawnChart]],
    title: str,
    command: str,
    refresh: int | None = None,
    data: dict[str, Any] | None = None,
    script: str = "",
) -> str:
    """Fill the template. All text is escaped, except the script and the charts, which the renderer escaped.

    `sections`: the charts by heading. `data`: what the `script` works on (see data.py).
    """
    from markupsafe import Markup

    study, design = analysis.data, analysis.design
    torch = ", ".join(sorted({visible(each) for each in study.runs["torch"].dropna()}))
    return (
        environment("dlx.report.page")
        .get_template("page.html.jinja")
        .render(
            title=visible(title),
            command=visible(command),
            refresh=refresh,
            counts=counts(analysis),
            answer=analysis.answer,
            compared=_compared(analysis),
            diagnosis=analysis.diagnosis,
            table=analysis.table,
            setting_columns=max(1, len(design.keys)),
            running=_pairs(study.running),
            left_out=_pairs(study.left_out),
            sections=sections,
            charts={
                chart.name: Markup(_own_ids(chart))  # noqa: S704
                for charts in sections.values()
                for chart in charts
            },
            runs=runs_table(analysis),
            layers=layer_tables(analysis),
            implied=_pairs(design.implied),
            shared=[(visible(key), write_value(value)) for key, value in design.shared.items()],
            commands=train_commands(analysis),
            environments=environments(analysis),
            data_facts=data_facts(analysis),
            policy=policy(script),
            script=Markup(script),  # noqa: S704
            data=Markup(script_json(data or {})),  # noqa: S704
            written=now(),
            versions=[
                *(f"dlx {__version__}", f"Python {platform.python_version()}"),
                *(f"{name} {version(name)}" for name in ("pandas", "vl-convert-python")),
                *([f"runs: torch {torch}"] if torch else []),
            ],
        )
    )


def _compared(analysis: Analysis) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the comparisons by heading: the verdict and the sentence of each."""
    comparisons, labels = analysis.comparisons, analysis.design.labels
    families = (
        ("Compared with the best", comparisons.against_best),
        ("Compared with the baseline", comparisons.against_baseline),
    )
    return [
        (heading, [(each.verdict, visible(sentence(each, labels, comparisons))) for each in compared])
        for heading, compared in families
        if compared
    ]


def _pairs(texts: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(visible(key), visible(text)) for key, text in texts.items()]


def _own_ids(chart: DrawnChart) -> str:
    """Prefix the chart's ids with its name: every chart calls its clip paths clip0, clip1, ..."""
    return re.sub(r'(\bid="|url\(#)', rf"\g<1>{chart.name}-", chart.svg)


def without_reload(html: bytes) -> bytes:
    """Return a page that no longer reloads itself."""
    return re.sub(rb'<meta http-equiv="refresh" content="\d+">\n', b"", html)
