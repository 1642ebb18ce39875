"""An analysis: the runs of a study, their settings, and everything that is computed from them, once.

Every part of the report (tables, plots, diagnosis, page, files, terminal) is given this one object.
"""

from dataclasses import dataclass
from functools import cached_property

from dlx.report.comparison import Comparisons, compare
from dlx.report.design import Design, find_design
from dlx.report.diagnosis.diagnose import diagnose
from dlx.report.diagnosis.finding import Diagnosis
from dlx.report.formats import Table
from dlx.report.headline import write_headline
from dlx.report.load import StudyData
from dlx.report.options import Options, find_setting
from dlx.report.summary import Summary, summarise
from dlx.report.tables import settings_table


@dataclass(frozen=True, eq=False)  # compared by identity, so that it can be a key
class Analysis:
    """`data`: what was loaded; `design`: the settings; `summary`: what each setting achieved.

    The properties are computed when they are first used.
    """

    data: StudyData
    design: Design
    summary: Summary
    comparisons: Comparisons

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """Return what is noteworthy about single runs, settings and the sweep."""
        return diagnose(self)

    @cached_property
    def headline(self) -> str:
        """Return the answer in words, one paragraph per line."""
        return write_headline(self)

    @cached_property
    def table(self) -> Table:
        """Return the table of settings as it is shown, best first."""
        return settings_table(self)


def analyse(data: StudyData, options: Options | None = None) -> Analysis:
    """Group the runs into settings and compare these. Raises RequestError for options that fit no run."""
    options = options or Options()
    design = find_design(data.settings, options.by)
    summary = summarise(data, design, options.metric)
    baseline = find_setting(design, options.baseline) if options.baseline else None
    comparisons = compare(data, design, summary, baseline=baseline, margin=options.margin)
    return Analysis(data, design, summary, comparisons)
