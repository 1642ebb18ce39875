"""Judges each student's runs by those of the reference, figure by figure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlx.grade.assignment import AskedFigure, Assignment
from dlx.grade.copies import find_copies
from dlx.grade.limits import Limits
from dlx.grade.reference import Reference
from dlx.grade.settings import differences, setting_of_work
from dlx.grade.work import HandedInRun, NoValueError, distinct, read_work
from dlx.report.text import write_count
from dlx.reproduce.where import matching, write_where
from dlx.run.documents import shorten
from dlx.stats.intervals import Interval

REFERENCE = "the reference"  # as an owner of copies


@dataclass(frozen=True)
class Judged:
    """One figure of a student: `value`, the mean of `runs` runs; None with a `reason` if there is none."""

    figure: AskedFigure
    passed: bool
    value: float | None = None
    runs: int = 0
    interval: Interval | None = None
    reason: str = ""


@dataclass
class Grade:
    """What is said of a student. `unread`: why nothing was graded. `module`: its problems."""

    student: str
    path: Path | None = None
    judged: list[Judged] = field(default_factory=list)
    unread: str = ""
    differences: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    module: list[str] | None = None  # not checked
    runs: list[HandedInRun] = field(default_factory=list, repr=False)

    @property
    def score(self) -> float:
        """The points of the figures that pass, and one for a module without problems if it was checked."""
        points = sum(each.figure.points for each in self.judged if each.passed)
        return float(points + (self.module == []))

    @property
    def remarks(self) -> list[str]:
        """Everything that a teacher should look at, in sentences."""
        reasons = [f"{each.figure.label}: {each.reason}" for each in self.judged if each.reason]
        return [*filter(None, [self.unread]), *reasons, *(self.module or []), *self.differences, *self.copies]


def submissions_in(folder: Path) -> dict[str, Path]:
    """Return the submissions in a folder by student: each is a folder, or a table named after the student."""
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    folders = {path.name: path for path in entries if path.is_dir()}
    others = [path for path in entries if path.name not in folders]
    return folders | {path.name if path.stem in folders else path.stem: path for path in others}


def grade(reference: Reference, submissions: Mapping[str, Path], missing: Iterable[str] = ()) -> list[Grade]:
    """Judge every submission, in the order of the students; one that cannot be read has the reason.

    `missing`: students who have handed in nothing.
    """
    grades = [grade_one(reference, student, path) for student, path in submissions.items()]
    grades += [Grade(student, unread="nothing was handed in") for student in missing]
    grades.sort(key=lambda each: each.student)
    copies = find_copies({REFERENCE: reference.runs, **{each.student: each.runs for each in grades}})
    for each in grades:
        each.copies = copies.get(each.student, [])
    return grades


def grade_one(reference: Reference, student: str, path: Path) -> Grade:
    """Judge one submission."""
    found = Grade(student, path)
    try:
        found.runs = read_work(path, reference.assignment.columns)
        for limits, own in zip(reference.limits, reference.of_figure, strict=True):
            judged, apart = _judge(reference.assignment, limits, own[0], found.runs)
            found.judged.append(judged)
            found.differences += [each for each in apart if each not in found.differences]
    except (ValueError, OSError) as error:
        found.unread = shorten(getattr(error, "strerror", None) or error)
    except Exception as error:  # noqa: BLE001 - whatever one folder holds, the others are graded
        found.unread = f"it could not be read: {type(error).__name__}: {shorten(error)}"
    if found.unread:
        found.judged, found.differences, found.runs = [], [], []
    return found


def _judge(
    assignment: Assignment, limits: Limits, asked: HandedInRun, runs: Sequence[HandedInRun]
) -> tuple[Judged, list[str]]:
    """Judge a figure, and say in which settings its runs differ from `asked`, a run of the reference."""
    figure = limits.figure
    try:
        own = _matching(assignment, figure, asked, runs)
    except NoValueError as error:
        return Judged(figure, passed=False, reason=str(error)), []
    apart = differences(asked, own[0], assignment.free)
    diverged = sum(run.status == "diverged" for run in own)
    if diverged:
        reason = f"{diverged} of {write_count(len(own), 'run')} diverged"
        return Judged(figure, passed=False, reason=reason), apart
    completed = distinct([run for run in own if run.status == "completed"])
    try:
        values = [run.value(figure.metric, figure.at) for run in completed]
    except (NoValueError, OSError, ValueError) as error:
        return Judged(figure, passed=False, reason=shorten(error)), apart
    if not values:
        return Judged(figure, passed=False, reason="every run failed"), apart
    mean, interval = limits.mean(values), limits.interval(len(values))
    return Judged(figure, limits.holds(values), mean, len(values), interval), apart


def _matching(
    assignment: Assignment, figure: AskedFigure, asked: HandedInRun, runs: Sequence[HandedInRun]
) -> list[HandedInRun]:
    """Return the student's runs that a figure is about: those with the assignment's setting, if there are."""
    found = [runs[index] for index in matching(figure.where, [run.planned for run in runs])]
    if not found:
        raise NoValueError(f"no run has {write_where(figure.where)}")
    by_setting: dict[str, list[HandedInRun]] = defaultdict(list)
    for run in found:
        by_setting[setting_of_work(run)].append(run)
    alike = [own for own in by_setting.values() if not differences(asked, own[0], assignment.free)]
    if len(alike) == 1 or len(by_setting) == 1:
        return alike[0] if alike else next(iter(by_setting.values()))
    if alike:
        raise NoValueError(f"{len(alike)} settings fit the assignment, so it is unclear which one is meant")
    raise NoValueError(f"{write_count(len(by_setting), 'setting')}, none of which is the assignment's")
