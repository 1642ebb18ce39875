"""An analysis -> its plots, and the page that holds them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dlx.report import charts
from dlx.report.analysis import Analysis
from dlx.report.dossier import dossiers
from dlx.report.listing import list_runs
from dlx.report.page.data import page_data
from dlx.report.page.render import Page, render
from dlx.report.page.script import libraries
from dlx.report.parameters import count_parameters
from dlx.report.plots.gallery import gallery
from dlx.report.provenance import describe

PLOTS = "plots"


def assemble(analysis: Analysis, output: Path, title: str, command: str, refresh: int | None = None) -> str:
    """Write the plots into the folder `output` and return the page that is to lie there."""
    study, layout, summary = analysis.data, analysis.design, analysis.summary
    plots = output / PLOTS
    plots.mkdir(parents=True, exist_ok=True)
    charts.discard_earlier(plots)
    with ThreadPoolExecutor(max_workers=1) as pool:
        bundle = pool.submit(libraries)  # a second, beside the drawing
        pictures = gallery(analysis)
        drawn = iter(charts.draw([chart for each in pictures.values() for chart in each], plots))
        sections = {heading: [next(drawn) for _ in each] for heading, each in pictures.items()}
    about_runs = dossiers(study, layout, summary, analysis.diagnosis, output)
    return render(
        Page(
            title,
            analysis.headline,
            analysis.table,
            setting_columns=max(1, len(layout.keys)),
            sections=sections,
            parameters=count_parameters(study, layout, summary),
            comparisons=analysis.comparisons,
            diagnosis=analysis.diagnosis,
            listing=list_runs(study, layout, summary),
            command=command,
            refresh=refresh,
            provenance=describe(study, layout, summary),
            live=page_data(study, layout, summary, sections, about_runs),
            libraries=bundle.result(),
        )
    )
