"""Findings of runs -> findings of settings: what most of a setting's runs share is said once."""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from dlx.report.design import Design
from dlx.report.diagnosis.check import Check, Found, Numbers, Told
from dlx.report.diagnosis.finding import Finding
from dlx.report.load import StudyData
from dlx.report.summary import Summary

FAILURES = ("diverged", "never learned", "unstable", "underfitting")


def of_runs(check: Check, found: Found, study: StudyData) -> list[Finding]:
    """Return a finding for every run, in the study's order."""
    return [
        Finding(
            check.kind,
            "run",
            run,
            "problem" if run in found.problems else "note",
            check.describe(Told([found.numbers[run]], 1)),
            found.numbers[run],
        )
        for run in map(str, study.runs.index)
        if run in found.numbers
    ]


def of_settings(check: Check, found: Found, layout: Design, summary: Summary) -> list[Finding]:
    """Return a finding for every setting of which more than half the runs have it, in the table's order."""
    runs = Counter(layout.of_run.values())
    having: dict[int, list[str]] = {}
    for run in found.numbers:
        having.setdefault(layout.of_run[run], []).append(run)
    findings = []
    for place, label in zip(summary.table["setting"], summary.table["label"], strict=True):
        named = having.get(int(place), [])
        if 2 * len(named) > runs[int(place)]:
            told = Told([found.numbers[run] for run in named], runs[int(place)])
            serious = 2 * sum(run in found.problems for run in named) >= len(named)
            numbers = {"fired": float(len(named)), "runs": float(told.runs)} | _spread(told)
            findings.append(
                Finding(
                    check.kind,
                    "setting",
                    str(label),
                    "problem" if serious else "note",
                    check.describe(told),
                    numbers,
                )
            )
    return findings


def mixed(found: Mapping[str, Found], layout: Design, summary: Summary) -> list[Finding]:
    """Return a finding for every setting in most of whose runs training goes wrong, but not in one way.

    One seed stays at chance, the next forgets, a third is stuck above: each is a minority.
    """
    runs = Counter(layout.of_run.values())
    ways: dict[int, dict[str, str]] = {}
    for kind in FAILURES:
        for run in found[kind].problems if kind in found else ():
            ways.setdefault(layout.of_run[run], {}).setdefault(run, kind)
    findings = []
    for place, label in zip(summary.table["setting"], summary.table["label"], strict=True):
        failed = ways.get(int(place), {})
        total = runs[int(place)]
        counts = Counter(failed.values())
        if 2 * len(failed) <= total or 2 * max(counts.values()) > total:
            continue
        words = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        findings.append(
            Finding(
                counts.most_common(1)[0][0],
                "setting",
                str(label),
                "problem",
                f"Training goes wrong in {len(failed)} of {total} runs, not always in one way: {words}.",
                {"fired": float(len(failed)), "runs": float(total)}
                | {kind: float(count) for kind, count in counts.items()},
            )
        )
    return findings


def _spread(told: Told) -> Numbers:
    names = dict.fromkeys(name for numbers in told.numbers for name in numbers)
    spread: Numbers = {}
    for name in names:
        values = [numbers[name] for numbers in told.numbers if name in numbers]
        spread |= {name: float(np.median(values)), f"{name}_min": min(values), f"{name}_max": max(values)}
    return spread
