"""Everything that is checked, in the order of importance: the one place that knows all checks."""

from collections.abc import Iterable

from dlx.report.design import Design
from dlx.report.diagnosis import (
    confidence,
    converged,
    diverged,
    edge,
    frontier,
    importance,
    layers,
    learned,
    overfitting,
    settled,
    stable,
    underfitting,
)
from dlx.report.diagnosis.check import Check, Found
from dlx.report.diagnosis.evidence import Evidence
from dlx.report.diagnosis.finding import Diagnosis, Finding
from dlx.report.diagnosis.merge import mixed, of_runs, of_settings
from dlx.report.diagnosis.sweep import SweepCheck, gather
from dlx.report.load import StudyData
from dlx.report.summary import Summary
from dlx.report.text import write_count

RUN_CHECKS: tuple[Check, ...] = (
    diverged.CHECK,
    learned.CHECK,
    stable.CHECK,
    layers.DEAD,
    layers.EXPLODING,
    overfitting.CHECK,
    converged.CHECK,
    underfitting.CHECK,
    confidence.CHECK,
)
SWEEP_CHECKS: tuple[SweepCheck, ...] = (settled.CHECK, edge.CHECK, frontier.CHECK, importance.CHECK)


def diagnose(study: StudyData, layout: Design, summary: Summary) -> Diagnosis:
    """Check every run and the sweep; a path over a surface has only its end to check."""
    evidence = Evidence(study)
    checks = RUN_CHECKS[:1] if summary.exact else RUN_CHECKS
    found = {check.kind: check.find(evidence) for check in checks}
    problems = {kind: frozenset(each.problems & each.numbers.keys()) for kind, each in found.items()}
    sweep = gather(evidence, layout, summary, problems)
    findings: list[Finding] = []
    unchecked = [
        (check.kind, "a path over a surface draws no sample") for check in RUN_CHECKS if check not in checks
    ]
    for sweep_check in SWEEP_CHECKS:
        new, reasons = sweep_check.find(sweep)
        findings += new
        unchecked += [(sweep_check.kind, reason) for reason in reasons]
    for check in checks:
        unchecked += [(check.kind, reason) for reason in _reasons(found[check.kind], len(study.runs))]
    of_setting = [one for check in checks for one in of_settings(check, found[check.kind], layout, summary)]
    of_setting = [*mixed(found, layout, summary), *of_setting]
    of_run = [one for check in checks for one in of_runs(check, found[check.kind], study)]
    parts = (findings, of_setting, of_run)
    return Diagnosis([one for part in parts for one in problems_first(part)], unchecked)


def problems_first(findings: Iterable[Finding]) -> list[Finding]:
    """Sort by severity, keeping the order within each."""
    return sorted(findings, key=lambda one: one.severity != "problem")


def _reasons(found: Found, runs: int) -> list[str]:
    return [
        f"{reason} ({count} of {write_count(runs, 'run')})" if count else reason
        for reason, count in found.unchecked.items()
    ]
