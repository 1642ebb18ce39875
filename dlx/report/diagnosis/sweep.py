"""What checks of a whole sweep look at: what each setting came to, run by run.

Axes: n completed runs of a setting.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from dlx.report.design import Design
from dlx.report.diagnosis.evidence import Evidence
from dlx.report.diagnosis.finding import Finding, Severity
from dlx.report.diagnosis.trend import Floats
from dlx.report.summary import Summary


@dataclass(frozen=True)
class Sweep:
    """`ends`: by place in Design.rows, the ordering metric at the last epoch of its completed runs [n].

    `problems`: by kind, the runs where it is one.
    """

    evidence: Evidence
    layout: Design
    metric: str
    higher: bool
    ends: dict[int, Floats]
    problems: Mapping[str, frozenset[str]]

    @property
    def sign(self) -> int:
        """Return 1 where higher is better, else -1."""
        return 1 if self.higher else -1

    def seeds(self) -> tuple[float, int]:
        """Return the variance over a setting's runs, pooled over settings, and its degrees of freedom."""
        return pooled(list(self.ends.values()))


@dataclass(frozen=True)
class SweepCheck:
    """One question about the sweep: findings, and reasons why it could not be asked."""

    kind: str
    find: Callable[[Sweep], tuple[list[Finding], list[str]]]


def gather(
    evidence: Evidence, layout: Design, summary: Summary, problems: Mapping[str, frozenset[str]]
) -> Sweep:
    """Sort the completed runs' last values by setting."""
    values = evidence.study.runs[f"{summary.metric}_last"].to_dict()
    ends: dict[int, list[float]] = {}
    for run in evidence.completed:
        if np.isfinite(values[run]):
            ends.setdefault(layout.of_run[run], []).append(float(values[run]))
    return Sweep(
        evidence,
        layout,
        summary.metric,
        summary.higher,
        {place: np.array(ends[place]) for place in sorted(ends)},
        problems,
    )


def pooled(groups: list[Floats]) -> tuple[float, int]:
    """Return the variance within groups (NaN if none has two values) and its degrees of freedom."""
    freedom = sum(len(group) - 1 for group in groups)
    within = sum(float(((group - group.mean()) ** 2).sum()) for group in groups if len(group))
    return (within / freedom if freedom else float("nan")), freedom


def finding(kind: str, severity: Severity, sentence: str, **numbers: float) -> Finding:
    """Return a finding about the sweep."""
    return Finding(kind, "sweep", "", severity, sentence, numbers)
