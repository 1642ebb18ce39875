"""What a report says, worked out once: page, files and terminal only show it."""

from dataclasses import dataclass

from dlx.report.aggregate import Summary, aggregate
from dlx.report.chance import weigh
from dlx.report.comparison import Comparisons, compare
from dlx.report.diagnosis.diagnose import diagnose
from dlx.report.diagnosis.finding import Diagnosis
from dlx.report.findings import headline
from dlx.report.held_out import held_out
from dlx.report.load import Study
from dlx.report.options import Options, find_setting
from dlx.report.settings import Layout, lay_out
from dlx.report.tables import Table, tabulate


@dataclass(frozen=True)
class Analysis:
    """A study, its settings, and what was found: `finding` in words, `table` a row a setting."""

    study: Study
    layout: Layout
    summary: Summary
    comparisons: Comparisons
    diagnosis: Diagnosis
    finding: str
    table: Table


def analyse(study: Study, options: Options) -> Analysis:
    """Compare the settings and look into every run. Raises RequestError for options that fit no run."""
    layout = lay_out(study.settings, options.by)
    summary = aggregate(study, layout, options.metric)
    baseline = find_setting(layout, options.baseline) if options.baseline else None
    comparisons = compare(study, layout, summary, baseline=baseline, margin=options.margin)
    luck, looks = weigh(study, layout, summary), held_out(study, layout, summary)
    return Analysis(
        study,
        layout,
        summary,
        comparisons,
        diagnose(study, layout, summary),
        headline(summary, comparisons, luck, looks),
        tabulate(summary, layout, comparisons),
    )
