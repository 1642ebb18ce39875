"""An analysis -> its plots, and one index.html that opens offline: styles, script and charts are inline."""

import itertools
import platform
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx import __version__
from dlx.report.analysis import Analysis
from dlx.report.charts import Chart, draw_chart, threads
from dlx.report.comparison_text import sentence
from dlx.report.diagnosis.first_screen import most_important
from dlx.report.page.assets import environment, now, policy, script, vega
from dlx.report.page.data import page_data, script_json
from dlx.report.page.runs import counts, data_facts, environments, run_details, runs_table, train_commands
from dlx.report.plots.answer import answer_chart
from dlx.report.plots.gallery import gallery
from dlx.report.tables import layer_tables
from dlx.report.text import visible, write_value

if TYPE_CHECKING:
    from jinja2 import Environment

PLOTS = "plots"


def render_page(
    analysis: Analysis, output: Path, title: str, command: str, refresh: int | None = None
) -> tuple[str, dict[str, bytes]]:
    """Return the HTML of the page that belongs into the folder `output`, and its plots by their paths there.

    `command`: what wrote the page. `refresh`: seconds after which the page reloads itself, None for never.
    """
    drawing: dict[str, Future[tuple[Chart, dict[str, bytes]]]] = {}
    with threads(2) as pool:

        def begin(chart: Chart) -> None:
            if chart.name not in drawing:
                drawing[chart.name] = pool.submit(draw_chart, chart, output / PLOTS)

        libraries = pool.submit(vega)  # from the cache, or in three seconds
        if answer := answer_chart(analysis):
            begin(answer)
        charts = gallery(analysis, begin)
        if answer:
            charts = _without(charts, answer.name)
        every = [*([answer] if answer else []), *itertools.chain(*charts.values())]
        data = page_data(analysis, every, run_details(analysis, output))
        page_environment()  # compiles while the renderer draws
        results = [drawing[chart.name].result() for chart in every]
        drawn = {chart.name: chart for chart, _ in results}
        picture = drawn[answer.name] if answer else None
        sections = {heading: [drawn[chart.name] for chart in each] for heading, each in charts.items()}
        own_script = script(libraries.result())
    html = fill(analysis, picture, sections, title, command, refresh, data, own_script)
    return html, {f"{PLOTS}/{name}": content for _, files in results for name, content in files.items()}


def fill(
    analysis: Analysis,
    chart: Chart | None,
    sections: Mapping[str, list[Chart]],
    title: str,
    command: str,
    refresh: int | None = None,
    data: dict[str, Any] | None = None,
    script: str = "",
) -> str:
    """Fill the template. All text is escaped, except the script and the charts, which the renderer escaped.

    `chart`: the picture of the answer. `sections`: the other charts by heading. `data`: what the `script`
    works on (see data.py).
    """
    from markupsafe import Markup

    drawn = [*([chart] if chart else []), *itertools.chain(*sections.values())]
    return (
        page_environment()
        .get_template("page.html.jinja")
        .render(
            _contents(analysis),
            title=visible(title),
            command=visible(command),
            refresh=refresh,
            chart=chart,
            opening=_first_row(next(iter(sections.values()), [])),
            sections=sections,
            charts={each.name: Markup(_own_ids(each)) for each in drawn},  # noqa: S704
            policy=policy(script),
            script=Markup(script),  # noqa: S704
            data=Markup(script_json(data or {})),  # noqa: S704
            written=now(),
        )
    )


@cache
def page_environment() -> "Environment":
    """Return Jinja's environment for the page, with every template compiled."""
    made = environment("dlx.report.page")
    for name in made.list_templates(filter_func=lambda name: name.endswith((".jinja", ".css"))):
        made.get_template(name)
    return made


def _contents(analysis: Analysis) -> dict[str, Any]:
    """Return what the template shows of the analysis, besides the charts."""
    study, design = analysis.data, analysis.design
    torch = ", ".join(sorted({visible(each) for each in study.runs["torch"].dropna()}))
    return {
        "counts": counts(analysis),
        "answer": analysis.answer,
        "findings": analysis.findings,
        "source": study.source,
        "compared": _compared(analysis),
        "important": most_important(analysis.diagnosis),
        "diagnosis": analysis.diagnosis,
        "table": analysis.table,
        "setting_columns": max(1, len(design.keys)),
        "running": _pairs(study.running),
        "left_out": _pairs(study.left_out),
        "runs": runs_table(analysis),
        "layers": layer_tables(analysis),
        "implied": _pairs(design.implied),
        "shared": [(visible(key), write_value(value)) for key, value in design.shared.items()],
        "commands": train_commands(analysis),
        "environments": environments(analysis),
        "data_facts": data_facts(analysis),
        "versions": [
            *(f"dlx {__version__}", f"Python {platform.python_version()}"),
            *(f"{name} {version(name)}" for name in ("pandas", "vl-convert-python")),
            *([f"runs: torch {torch}"] if torch else []),
        ],
    }


def _without(charts: Mapping[str, list[Chart]], name: str) -> dict[str, list[Chart]]:
    """Leave out the chart that is the picture of the answer, and its section if nothing else is there."""
    rest = {heading: [chart for chart in each if chart.name != name] for heading, each in charts.items()}
    return {heading: each for heading, each in rest.items() if each or not charts[heading]}


def _first_row(charts: Sequence[Chart]) -> Sequence[Chart]:
    """Return the charts that fill the first row of a section: a wide one, or two."""
    return charts[:1] if any(chart.wide for chart in charts[:2]) else charts[:2]


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


def _own_ids(chart: Chart) -> str:
    """Prefix the chart's ids with its name: every chart calls its clip paths clip0, clip1, ..."""
    return re.sub(r'(\bid="|url\(#)', rf"\g<1>{chart.name}-", chart.svg)


def without_reload(html: bytes) -> bytes:
    """Return a page that no longer reloads itself."""
    return re.sub(rb'<meta http-equiv="refresh" content="\d+">\n', b"", html)
