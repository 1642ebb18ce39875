"""All checks, in order of importance, and the diagnosis that they add up to.

To add a check of runs, write a module with a `Check` and add it to RUN_CHECKS. To add a check of the whole
sweep, write a function like those in SWEEP_CHECKS and add it there.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlx.report.diagnosis.check import Affected, Check, Detections, Numbers
from dlx.report.diagnosis.convergence import NOT_CONVERGED
from dlx.report.diagnosis.divergence import COLLAPSED, DIVERGED, LOST_EPOCHS
from dlx.report.diagnosis.evidence import Evidence
from dlx.report.diagnosis.finding import (
    SEVERITIES,
    Diagnosis,
    Finding,
    NotChecked,
    Severity,
    gravest_first,
)
from dlx.report.diagnosis.generalisation import GROKS, MEMORISES
from dlx.report.diagnosis.grid_edges import find_grid_edges
from dlx.report.diagnosis.importance import find_importance
from dlx.report.diagnosis.instability import UNSTABLE
from dlx.report.diagnosis.layer_statistics import DEAD_UNITS, EXPLODING_ACTIVATIONS
from dlx.report.diagnosis.never_learned import NEVER_LEARNED, TOO_SLOW
from dlx.report.diagnosis.over_confidence import OVER_CONFIDENT
from dlx.report.diagnosis.overfitting import OVERFITTING
from dlx.report.diagnosis.ranking import find_rank_reversals
from dlx.report.diagnosis.stability import find_failing_settings, find_stability_limits
from dlx.report.diagnosis.underfitting import UNDERFITTING
from dlx.report.diagnosis.validation_size import find_small_validation
from dlx.report.text import write_count

if TYPE_CHECKING:
    from dlx.report.analysis import Analysis

RUN_CHECKS: tuple[Check, ...] = (
    DIVERGED,
    COLLAPSED,
    LOST_EPOCHS,
    NEVER_LEARNED,
    TOO_SLOW,
    UNSTABLE,
    DEAD_UNITS,
    EXPLODING_ACTIVATIONS,
    OVERFITTING,
    MEMORISES,
    GROKS,
    NOT_CONVERGED,
    UNDERFITTING,
    OVER_CONFIDENT,
)
SWEEP_CHECKS: tuple[Callable[[Evidence], Iterable[Finding | NotChecked]], ...] = (
    find_grid_edges,
    find_rank_reversals,
    find_failing_settings,
    find_small_validation,
    find_stability_limits,
    find_importance,
)

Setting = tuple[str, list[str]]  # its label and its runs


def diagnose(analysis: "Analysis") -> Diagnosis:
    """Check every run and the whole sweep."""
    evidence = Evidence(analysis)
    checks = [check for check in RUN_CHECKS if check.on_surfaces or not analysis.summary.exact]
    skipped = [check.kind for check in RUN_CHECKS if check not in checks]
    checks = [check for check in checks if evidence.classes_are_learned or not check.of_classes]
    unchecked = [NotChecked(kind, "runs on a surface use no data") for kind in skipped]
    detected = _explained({check: check.detect(evidence) for check in checks})
    for check in checks:
        for run in detected[check].numbers if check.training_failure else ():
            if detected[check].severities.get(run) == "problem":
                evidence.training_failures.setdefault(run, check.kind)
    results = [result for find in SWEEP_CHECKS for result in find(evidence)]
    of_sweep = [result for result in results if isinstance(result, Finding)]
    unchecked += [result for result in results if isinstance(result, NotChecked)]
    runs, settings = list(evidence.statuses), _settings(analysis)
    of_settings, of_runs = _mixed_failures(evidence.training_failures, settings), list[Finding]()
    for check, detections in detected.items():
        of_settings += _of_settings(check, detections, settings)
        of_runs += _of_runs(check, detections, runs)
        for reason, count in detections.unchecked.items():
            share = f" ({count} of {write_count(len(runs), 'run')})" if count else ""
            unchecked.append(NotChecked(check.kind, reason + share))
    for run, reason in evidence.damaged.items():
        of_runs.append(Finding("damaged file", "run", run, "note", f"{reason}.", {}))
    findings = [*gravest_first(of_sweep), *gravest_first(of_settings), *gravest_first(of_runs)]
    return Diagnosis(findings, unchecked, [label for label, _ in settings])


def _explained(detected: dict[Check, Detections]) -> dict[Check, Detections]:
    """Leave out the findings of a run that another finding of it explains."""
    explains = {
        kind: [check for check in detected if kind in check.instead_of]
        for kind in (check.kind for check in detected)
    }
    return {
        check: detections.without({run for other in explains[check.kind] for run in detected[other].numbers})
        for check, detections in detected.items()
    }


def _settings(analysis: "Analysis") -> list[Setting]:
    """Return every setting with its runs, in the table's order."""
    runs: dict[int, list[str]] = {}
    for run, index in analysis.design.of_run.items():
        runs.setdefault(index, []).append(run)
    table = analysis.summary.table
    return [(str(label), runs[index]) for index, label in zip(table["setting"], table["label"], strict=True)]


def _of_runs(check: Check, detections: Detections, runs: Iterable[str]) -> list[Finding]:
    return [
        Finding(
            check.kind,
            "run",
            run,
            detections.severities.get(run, "note"),
            check.describe(Affected([detections.numbers[run]], 1)),
            detections.numbers[run],
        )
        for run in runs
        if run in detections.numbers
    ]


def _of_settings(check: Check, detections: Detections, settings: Iterable[Setting]) -> list[Finding]:
    """Return a finding for every setting that has it in more than half of its runs."""
    findings = []
    for label, runs in settings:
        having = [run for run in runs if run in detections.numbers]
        if 2 * len(having) <= len(runs):
            continue
        affected = Affected([detections.numbers[run] for run in having], len(runs))
        severity = _gravest_of_most([detections.severities.get(run, "note") for run in having])
        numbers = {"fired": float(len(having)), "runs": float(len(runs))} | _medians(affected)
        findings.append(Finding(check.kind, "setting", label, severity, check.describe(affected), numbers))
    return findings


def _gravest_of_most(severities: Sequence[Severity]) -> Severity:
    """Return the gravest severity that at least half of the runs reach or exceed."""
    ranks = sorted(SEVERITIES.index(severity) for severity in severities)
    return SEVERITIES[ranks[(len(ranks) - 1) // 2]]


def _medians(affected: Affected) -> Numbers:
    medians: Numbers = {}
    for name in dict.fromkeys(name for numbers in affected.numbers for name in numbers):
        values = [numbers[name] for numbers in affected.numbers if name in numbers]
        medians |= {name: float(np.median(values)), f"{name}_min": min(values), f"{name}_max": max(values)}
    return medians


def _mixed_failures(failures: Mapping[str, str], settings: Iterable[Setting]) -> list[Finding]:
    """Return a finding for every setting where most runs fail to train, but in no single way.

    For example, one seed never learns, the next forgets and a third diverges, each in a minority of runs.
    """
    order = list(dict.fromkeys(failures.values()))
    findings = []
    for label, runs in settings:
        kinds = sorted((failures[run] for run in runs if run in failures), key=order.index)
        counts = Counter(kinds)
        if 2 * len(kinds) <= len(runs) or 2 * max(counts.values()) > len(runs):
            continue
        words = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        sentence = f"Training failed in {len(kinds)} of {len(runs)} runs, in different ways: {words}."
        numbers = {"fired": len(kinds), "runs": len(runs)} | counts
        floats = {name: float(number) for name, number in numbers.items()}
        findings.append(Finding(counts.most_common(1)[0][0], "setting", label, "problem", sentence, floats))
    return findings
