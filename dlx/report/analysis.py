"""An analysis: the runs of a study, their settings, and everything that is computed from them, once.

Every part of the report (tables, plots, diagnosis, page, files, terminal) is given this one object.
"""

import re
from dataclasses import dataclass, replace
from functools import cached_property

from dlx.errors import RequestError, nearest
from dlx.report.answer import Answer, find_answer
from dlx.report.any_text import any_text
from dlx.report.comparison import Comparisons, compare
from dlx.report.crossing import NotCrossed
from dlx.report.design import Design, find_design, find_key
from dlx.report.diagnosis.diagnose import diagnose
from dlx.report.diagnosis.finding import Diagnosis
from dlx.report.diagnosis.grid_edges import EDGE
from dlx.report.effects import Effects, find_effects
from dlx.report.formats import Table
from dlx.report.load import StudyData
from dlx.report.metric import find_ranking
from dlx.report.summary import Summary, summarise
from dlx.report.tables import settings_table
from dlx.report.text import visible, write_value
from dlx.report.tuning import compare_tuned
from dlx.run.identity import comparable
from dlx.stats.intervals import LEVEL

LEFT_OUT = "Findings were left out on request."


@dataclass(frozen=True)
class Options:
    """What the user asked to compare; empty and None leave the choice to the report.

    `findings`: whether to draw conclusions, or only show tables and plots.
    """

    by: tuple[str, ...] = ()
    tune: tuple[str, ...] = ()
    baseline: str = ""
    metric: str = ""
    margin: float | None = None
    findings: bool = True


@dataclass(frozen=True, eq=False)  # compared by identity, so that it can be a key
class Analysis:
    """`data`: what was loaded; `design`: the settings; `summary`: what each setting achieved.

    `whole`: the analysis of all runs, if these are of the best settings only (--tune). `findings`: whether
    conclusions are drawn; without them there is no comparison, diagnosis, effect or answer.

    The properties are computed when they are first used.
    """

    data: StudyData
    design: Design
    summary: Summary
    comparisons: Comparisons
    whole: "Analysis | None" = None
    findings: bool = True

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """Return what is noteworthy about single runs, settings and the sweep."""
        if not self.findings:
            return Diagnosis([], [])
        if self.whole is None:
            return diagnose(self)
        own, edges = diagnose(self), [one for one in self.whole.diagnosis.findings if one.kind == EDGE]
        return replace(own, findings=[*edges, *own.findings])

    @cached_property
    def answer(self) -> Answer:
        """Return what the report says first."""
        return find_answer(self) if self.findings else Answer(LEFT_OUT)

    @cached_property
    def effects(self) -> Effects | NotCrossed:
        """Return what each key of a grid does, and which keys interact."""
        return find_effects(self) if self.findings else NotCrossed(LEFT_OUT)

    @cached_property
    def table(self) -> Table:
        """Return the table of settings as it is shown, best first."""
        return settings_table(self)


@any_text()
def analyse(data: StudyData, options: Options, level: float = LEVEL, later: float = LEVEL) -> Analysis:
    """Group the runs into settings and compare these; `level`: of the tests; `later`: with more units.

    Raises RequestError for options that fit no run.
    """
    analysis = _analyse(data, options, level, later)
    if options.findings:
        return analysis
    comparisons = replace(analysis.comparisons, against_best=[], against_baseline=[], undecided=0, tuned="")
    return replace(analysis, comparisons=comparisons, findings=False)


def _analyse(data: StudyData, options: Options, level: float, later: float) -> Analysis:
    if options.tune:
        if options.baseline or options.margin is not None:
            raise RequestError("--tune: cannot be combined with --baseline or --margin")
        tuned = compare_tuned(data, options.by, options.tune, options.metric, level)
        return Analysis(*tuned, whole=analyse(data, Options(metric=options.metric), level))
    design = find_design(data.settings, options.by)
    ranking = find_ranking(data, options.metric)
    data, summary = ranking.data, summarise(ranking, design)
    declared = _declared_baseline(data)
    asked = options.baseline or declared
    comparisons = compare(
        data,
        design,
        summary,
        baselines=find_baselines(design, asked) if asked else None,
        declared=asked == declared,
        margin=options.margin,
        level=level,
        later=later,
    )
    return Analysis(data, design, summary, comparisons)


def _declared_baseline(data: StudyData) -> str:
    """Return the baseline that every run's request named; "" if there is none, or if they differ."""
    named = {str(settings.get("baseline") or "") for settings in data.settings.values()}
    return named.pop() if len(named) == 1 else ""


def find_baselines(design: Design, asked: str) -> dict[int, int]:
    """Return the baseline of each setting that has one: `asked` is a label, or the values of some keys.

    If several settings have these values, each setting is compared with the one among them that has the same
    values of all other keys. Keys may be as short as in the table. Raises RequestError if no setting fits.
    """
    found = find_settings(design, asked, "--baseline")
    named = _named_values(design, asked, "--baseline")
    groups = tuple(f"{key}." for key in named if key in design.words)
    others = [key for key in design.keys if key not in named and not key.startswith(groups)]

    def rest(setting: int) -> tuple[str, ...]:
        return tuple(comparable(design.rows[setting][key]) for key in others)

    if len(found) == 1:
        return {setting: found[0] for setting in range(len(design.rows)) if setting != found[0]}
    of_rest = {rest(index): index for index in found}
    return {
        setting: of_rest[rest(setting)]
        for setting in range(len(design.rows))
        if setting not in found and rest(setting) in of_rest
    }


def find_settings(design: Design, asked: str, option: str) -> list[int]:
    """Return the settings that `asked` names: by a label, or by the values of some keys, as in the table.

    Raises RequestError, which begins with `option`, if there is none.
    """
    if asked in design.labels:
        return [design.labels.index(asked)]
    wanted = _named_values(design, asked, option)
    found = [
        index
        for index, row in enumerate(design.rows)
        if all(
            _same(row[key] if key in row else design.words[key][index], value)
            for key, value in wanted.items()
        )
    ]
    if not found:
        raise _no_setting(design, asked, option)
    return found


def _named_values(design: Design, asked: str, option: str) -> dict[str, str]:
    """Return the values that `asked` gives some keys, or groups whose choice it names; {} for a label."""
    if asked in design.labels:
        return {}
    pairs = [part.partition("=") for part in re.split(r",\s*(?=[\w.]+=)", asked)]
    if any(not sign for _, sign, _ in pairs):
        raise _no_setting(design, asked, option)
    named = {key.strip(): value for key, _, value in pairs}
    short = {*design.keys, *design.names.values()}
    return {
        key
        if key not in short and key in design.words
        else find_key(key, design.keys, design.names, option): value
        for key, value in named.items()
    }


def _no_setting(design: Design, asked: str, option: str) -> RequestError:
    some = "; ".join(design.labels[:3]) + (f" and {len(design.labels) - 3} more" if design.labels[3:] else "")
    return RequestError(
        f"{option}: no setting is '{visible(asked)}'{nearest(asked, design.labels)} (there are: {some})"
    )


def _same(value: object, written: str) -> bool:
    """Return whether a setting's value is the one written: as shown in the table, or the same number."""
    if written.strip() in (write_value(value), str(value)) or (value is None and written.strip() == "null"):
        return True
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and float(written) == value
    except ValueError:
        return False
