"""The reference of an assignment: its runs, and the limits of each figure that follow from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlx.errors import RequestError
from dlx.grade.assignment import AskedFigure, Assignment
from dlx.grade.limits import Limits, check_values
from dlx.grade.settings import setting_of_work
from dlx.grade.work import HandedInRun, NoValueError, distinct, read_work
from dlx.report.text import visible, write_count
from dlx.reproduce.where import matching, write_where
from dlx.run.documents import shorten


@dataclass(frozen=True)
class Reference:
    """The reference's runs and limits, by figure, and what a teacher should know about them."""

    assignment: Assignment
    runs: list[HandedInRun]
    of_figure: list[list[HandedInRun]]
    limits: list[Limits]
    warnings: list[str]


def read_reference(assignment: Assignment, place: Path) -> Reference:
    """Read the reference's runs and find the limits. Raises RequestError if they do not fit the figures."""
    try:
        runs = read_work(place.resolve(), assignment.columns)
    except (ValueError, OSError) as error:
        raise RequestError(f"the reference's runs in {place} cannot be used: {shorten(error)}") from error
    of_figure = [_of_reference(figure, runs) for figure in assignment.figures]
    limits, warnings = [], []
    for figure, own in zip(assignment.figures, of_figure, strict=True):
        try:
            values = [run.value(figure.metric, figure.at) for run in own]
        except (NoValueError, OSError, ValueError) as error:
            raise RequestError(f"figure '{figure.label}': the reference has {shorten(error)}") from error
        samples = own[0].samples(figure.metric)
        check_values(figure, values, samples)
        limits.append(Limits(figure, values, assignment.level, samples))
        warnings += _outliers(limits[-1], own)
    return Reference(assignment, runs, of_figure, limits, warnings)


def _of_reference(figure: AskedFigure, runs: Sequence[HandedInRun]) -> list[HandedInRun]:
    """Return the reference's runs that a figure is about: of one setting, all completed, all different."""
    own = [runs[index] for index in matching(figure.where, [run.planned for run in runs])]
    about = f"figure '{figure.label}'"
    if not own:
        raise RequestError(f"{about}: no reference run has {write_where(figure.where)}")
    settings = {setting_of_work(run) for run in own}
    if len(settings) > 1:
        raise RequestError(
            f"{about}: the reference has {len(settings)} settings; name one of them in the figure's 'where'"
        )
    unfinished = [run for run in own if run.status != "completed"]
    if unfinished:
        count = f"{len(unfinished)} of {write_count(len(own), 'reference run')}"
        raise RequestError(f"{about}: {count} {unfinished[0].status}; choose settings that train every time")
    own = distinct(own)
    if len(own) < 2:
        raise RequestError(f"{about}: the reference needs at least 2 different runs, better 10")
    return own


def _outliers(limits: Limits, runs: Sequence[HandedInRun]) -> list[str]:
    """Return a warning if a reference run would itself fail against the others."""
    if len(runs) < 4:
        return []
    failing = []
    for index, value in enumerate(limits.values_K):
        others = [*limits.values_K[:index], *limits.values_K[index + 1 :]]
        if not Limits(limits.figure, others, limits.level, limits.samples).holds([value]):
            failing.append(runs[index].name)
    if not failing:
        return []
    count = write_count(len(failing), "reference run")
    first = f"{limits.figure.label}: {count} would fail against the others ({visible(shorten(failing[0]))})."
    return [f"{first} Right solutions then fail more often than stated. Ask for a figure that varies less."]
