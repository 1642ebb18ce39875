"""An analysis: the runs of a study, their settings, and everything worked out from them, each part once.

Every part of the report (tables, plots, diagnosis, page, files, terminal) is handed this one object.
"""

from dataclasses import dataclass
from functools import cached_property

from dlx.report.aggregate import Summary, aggregate
from dlx.report.chance import weigh
from dlx.report.comparison import Comparisons, compare
from dlx.report.diagnosis.diagnose import diagnose
from dlx.report.diagnosis.finding import Diagnosis
from dlx.report.findings import headline
from dlx.report.held_out import held_out
from dlx.report.load import StudyData
from dlx.report.options import Options, find_setting
from dlx.report.settings import Design, find_design
from dlx.report.tables import Table, tabulate


@dataclass(frozen=True, eq=False)
class Analysis:
    """`data`: what was read; `design`: which settings tell the runs apart; `summary`: a row a setting.

    The properties are computed when they are first asked for.
    """

    data: StudyData
    design: Design
    summary: Summary
    comparisons: Comparisons

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """What is noteworthy about single runs, settings and the sweep."""
        return diagnose(self)

    @cached_property
    def headline(self) -> str:
        """The answer in words, a paragraph a line."""
        luck = weigh(self.data, self.design, self.summary)
        looks = held_out(self.data, self.design, self.summary)
        return headline(self.summary, self.comparisons, luck, looks)

    @cached_property
    def table(self) -> Table:
        """The table of settings as it is shown, best first."""
        return tabulate(self.summary, self.design, self.comparisons)


def analyse(data: StudyData, options: Options) -> Analysis:
    """Group the runs into settings and compare these. Raises RequestError for options that fit no run."""
    design = find_design(data.settings, options.by)
    summary = aggregate(data, design, options.metric)
    baseline = find_setting(design, options.baseline) if options.baseline else None
    comparisons = compare(data, design, summary, baseline=baseline, margin=options.margin)
    return Analysis(data, design, summary, comparisons)
