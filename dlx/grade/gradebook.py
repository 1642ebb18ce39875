"""Grades as a table, as CSV for nbgrader and Otter, as Markdown and as one HTML page."""

import math
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

import dlx
from dlx.grade.grading import Grade, Judged
from dlx.grade.reference import Reference
from dlx.report.formats import Column, Table, to_markdown, write_csv
from dlx.report.page.assets import environment, now, policy
from dlx.report.replace import replace_files
from dlx.report.text import MISSING, visible, write_count, write_metric
from dlx.reproduce.measure import PARAMETERS
from dlx.stats.intervals import Interval

PAGE, CSV, MARKDOWN = "index.html", "grades.csv", "grades.md"
# Those that `nbgrader export` writes, in its order (nbgrader/plugins/export.py).
NBGRADER = (
    *("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email"),
    *("raw_score", "late_submission_penalty", "score", "max_score"),
)
LONGEST_NAME = 32  # letters of a student in a table; the whole name is in the CSV
Person = Mapping[str, str]  # a student's last_name, first_name and email


def max_score(reference: Reference, grades: Sequence[Grade]) -> float:
    """Return the points that there are; a checked module gives one."""
    return sum(figure.points for figure in reference.assignment.figures) + _modules(grades)


def _modules(grades: Sequence[Grade]) -> bool:
    return any(each.module is not None for each in grades)


def grades_csv(reference: Reference, grades: Sequence[Grade], people: Mapping[str, Person]) -> str:
    """Return one row for each student: nbgrader's columns, then, as Otter has them, the points by question.

    After these come `percent_correct`, `passed`, each figure with both ends of its interval, and `remarks`.
    """
    modules, most = _modules(grades), max_score(reference, grades)
    figures = reference.assignment.figures
    questions = [figure.label for figure in figures] + (["gradients"] if modules else [])
    rows = []
    for each in grades:
        person = people.get(each.student, {})
        earned = [one.figure.points * one.passed for one in each.judged] or [0.0] * len(figures)
        earned += [float(each.module == [])] if modules else []
        measured = [
            cell
            for one in each.judged
            for cell in (
                one.value,
                *((one.interval.low, one.interval.high) if one.interval else (None, None)),
            )
        ]
        rows.append(
            [
                *(reference.assignment.assignment, "", "", visible(each.student)),
                *(person.get(name, "") for name in ("last_name", "first_name", "email")),
                *(each.score, 0.0, each.score, most),
                *earned,
                *(each.score / most, math.isclose(each.score, most)),
                *(*(measured or [None] * 3 * len(figures)), "; ".join(each.remarks)),
            ]
        )
    named = [f"{figure.label} ({what})" for figure in figures for what in ("value", "low", "high")]
    return write_csv([*NBGRADER, *questions, "percent_correct", "passed", *named, "remarks"], rows)


def grades_table(reference: Reference, grades: Sequence[Grade]) -> Table:
    """Return one row for each student, the lowest score first."""
    modules, most = _modules(grades), max_score(reference, grades)
    columns = [Column("student"), Column("score", numeric=True)]
    columns += [
        Column(limits.figure.label, _interval(limits.figure.metric, limits.interval(1)), rank, numeric=True)
        for rank, limits in enumerate(reference.limits, start=1)
    ]
    columns += [Column("gradients", "", 1)] if modules else []
    rows = []
    for each in sorted(grades, key=lambda one: (one.score, one.student)):
        cells = [_cell(one) for one in each.judged] or [MISSING] * len(reference.limits)
        cells += [_of_module(each)] if modules else []
        rows.append([_short(each.student), f"{each.score:g} of {most:g}", *cells])
    return Table(columns, rows, notes(reference))


def notes(reference: Reference) -> list[str]:
    """Return how to read the table."""
    assignment = reference.assignment
    count = min(len(own) for own in reference.of_figure)
    several, luck = len(assignment.figures) > 1, f"{100 * assignment.luck:g}%"
    together = f", over all {len(assignment.figures)} figures together" if several else ""
    how = f"{write_count(count, 'reference run')} (Student's t{', Bonferroni' if several else ''})"
    return [
        f"A right solution fails by luck with a probability of at most {luck}{together}.",
        f"Each figure has a prediction interval for one new run, from {how}.",
        "The mean of several runs is held to a narrower one.",
        "The probability is an average over references and students.",
    ]


def limits_table(reference: Reference) -> Table:
    """Return one row for each figure: where it lies in the reference, and where a right solution's does."""
    columns = [Column("figure"), Column("runs", numeric=True), Column("reference", "mean", numeric=True)]
    columns += [
        Column("interval", f"of {write_count(runs, 'new run')}", rank, numeric=True)
        for rank, runs in enumerate((1, 3))
    ]
    rows = [
        [
            visible(limits.figure.label),
            str(len(limits.values_K)),
            _number(limits.figure.metric, limits.mean(limits.values_K)),
            *(_interval(limits.figure.metric, limits.interval(runs)) for runs in (1, 3)),
        ]
        for limits in reference.limits
    ]
    return Table(columns, rows)


def finding(reference: Reference, grades: Sequence[Grade]) -> str:
    """Say how many submissions pass, how many cannot be graded, and how many hold runs of somebody else."""
    most = max_score(reference, grades)
    passed = sum(math.isclose(each.score, most) for each in grades)
    unread = sum(bool(each.unread) for each in grades)
    said = f"{passed} of {write_count(len(grades), 'submission')} passed everything that was asked"
    said += f"; {unread} could not be graded." if unread else "."
    copied = sum(bool(each.copies) for each in grades)
    return f"{said} Copied runs in {write_count(copied, 'submission')}: see the remarks." if copied else said


def remarks(grades: Sequence[Grade]) -> list[tuple[str, str]]:
    """Return each student with something to look at, and what that is."""
    return [(_short(each.student), visible("; ".join(each.remarks))) for each in grades if each.remarks]


def save_grades(
    reference: Reference, grades: Sequence[Grade], people: Mapping[str, Person], folder: Path, command: str
) -> Path:
    """Write the grades into `folder` as CSV, Markdown and HTML; return the path of the page."""
    table, said = grades_table(reference, grades), finding(reference, grades)
    title = f"Grades: {reference.assignment.assignment}"
    markdown = [f"# {visible(title)}", said, *reference.warnings, to_markdown(table)]
    markdown += ["## Remarks", "\n".join(f"- {name}: {text}" for name, text in remarks(grades))]
    page = environment("dlx.grade", "dlx.report.page").get_template("grades.html.jinja")
    html = page.render(
        title=visible(title),
        finding=said,
        warnings=reference.warnings,
        table=table,
        remarks=remarks(grades),
        policy=policy(),
        command=visible(command),
        written=now(),
        versions=[f"dlx {dlx.__version__}", f"Python {platform.python_version()}"],
    )
    texts = {CSV: grades_csv(reference, grades, people), MARKDOWN: "\n\n".join(markdown) + "\n", PAGE: html}
    replace_files(folder, {name: text.encode(errors="backslashreplace") for name, text in texts.items()})
    return folder / PAGE


def _short(student: str) -> str:
    """Write a student's name so that it leaves room for the figures of all others."""
    name = visible(student)
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."


def _cell(judged: Judged) -> str:
    if judged.value is None:
        return "none"
    runs = f" ({judged.runs})" if judged.runs > 1 else ""
    return f"{_number(judged.figure.metric, judged.value)}{runs}{'' if judged.passed else ' FAILS'}"


def _of_module(each: Grade) -> str:
    return MISSING if each.module is None else "FAILS" if each.module else "right"


def _interval(metric: str, interval: Interval) -> str:
    low, high = (_number(metric, end) for end in interval)
    if math.isinf(interval.low):
        return f"at most {high}"
    return f"at least {low}" if math.isinf(interval.high) else f"{low} to {high}"


def _number(metric: str, value: float) -> str:
    return f"{value:.0f}" if metric == PARAMETERS and math.isfinite(value) else write_metric(metric, value)
