"""The parts of a diagnosis, and how the terminal and diagnosis.csv show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from dlx.report.design import Design
from dlx.report.formats import write_csv
from dlx.report.text import visible, write_count

Scope = Literal["run", "setting", "sweep"]
Severity = Literal["problem", "trade-off", "note"]
SEVERITIES: tuple[Severity, ...] = ("problem", "trade-off", "note")  # the gravest first
OWN_LINES = 2  # settings with the same finding get a line each; more of them share one


@dataclass(frozen=True)
class Finding:
    """One thing that a careful reader of the curves would point out.

    `severity`: a problem makes a score worse or a conclusion wrong; a trade-off gives up one thing for
    another; a note is good to know. `subject`: the run's name, the setting's label, or "" for the sweep.
    `numbers`: by name, those in `sentence` and others. For a setting they are medians over the runs with
    the finding, with `<name>_min` and `<name>_max`; `fired` of its `runs` runs have the finding.
    """

    kind: str
    scope: Scope
    subject: str
    severity: Severity
    sentence: str
    numbers: Mapping[str, float]


class NotChecked(NamedTuple):
    """A kind of finding that could not be checked, and why."""

    kind: str
    reason: str


@dataclass(frozen=True)
class Diagnosis:
    """`findings`: of the sweep, then of settings, then of runs; within each, the gravest first.

    `ranked`: the labels of the settings, best first.
    """

    findings: list[Finding]
    unchecked: list[NotChecked]
    ranked: Sequence[str] = ()


def gravest_first(findings: Sequence[Finding]) -> list[Finding]:
    """Sort by severity, keeping the order within each."""
    return sorted(findings, key=lambda one: SEVERITIES.index(one.severity))


def single_runs(diagnosis: Diagnosis, design: Design) -> list[Finding]:
    """Return the findings of runs whose setting does not have the same finding.

    A setting whose runs fail in different ways counts as having all of these findings.
    """
    of_settings = [one for one in diagnosis.findings if one.scope == "setting"]
    covered = {(kind, one.subject) for one in of_settings for kind in (one.kind, *one.numbers)}
    return [
        one
        for one in diagnosis.findings
        if one.scope == "run" and (one.kind, design.labels[design.of_run[one.subject]]) not in covered
    ]


def terminal_lines(diagnosis: Diagnosis, design: Design, most: int = 8) -> list[str]:
    """Write the most important findings in at most `most` lines, the gravest first.

    If several runs or more than two settings have the same kind of finding, they share a line. It names the
    first one (of settings the best, because they come in the table's order) and counts the others.
    """
    shown = [one for one in diagnosis.findings if one.scope != "run"] + single_runs(diagnosis, design)
    groups: dict[tuple[str, str], list[Finding]] = {}
    for one in shown:
        groups.setdefault((one.scope, one.kind), []).append(one)
    pairs = [pair for group in groups.values() for pair in _lines(group)]
    lines = [line for _, line in sorted(pairs, key=lambda pair: pair[0])]
    if len(lines) > most:
        lines = [*lines[: most - 1], f"and {len(lines) - most + 1} more on the page"]
    return lines


def _lines(group: Sequence[Finding]) -> list[tuple[int, str]]:
    """Return (rank of its severity, line) for findings of one scope and kind."""
    scope, ranks = group[0].scope, [SEVERITIES.index(one.severity) for one in group]
    if scope == "sweep":
        return [(rank, one.sentence) for rank, one in zip(ranks, group, strict=True)]
    if scope == "setting" and len(group) <= OWN_LINES:
        return [
            (rank, f"{visible(one.subject)}: {one.sentence}") for rank, one in zip(ranks, group, strict=True)
        ]
    more = f" (and {write_count(len(group) - 1, f'more {scope}')})" if len(group) > 1 else ""
    return [(min(ranks), f"{visible(group[0].subject)}{more}: {group[0].sentence}")]


def diagnosis_csv(diagnosis: Diagnosis) -> str:
    """Return a row for each finding, with its numbers as JSON, and one for each check that was not made."""
    rows: list[tuple[object, ...]] = [
        (one.kind, one.scope, visible(one.subject), one.severity, one.sentence, dict(one.numbers))
        for one in diagnosis.findings
    ]
    rows += [(kind, "", "", "unchecked", reason, None) for kind, reason in diagnosis.unchecked]
    return write_csv(("kind", "scope", "subject", "severity", "sentence", "numbers"), rows)
