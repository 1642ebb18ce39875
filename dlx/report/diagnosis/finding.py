"""What a diagnosis consists of: findings, each with the numbers that fired, and what could not be checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Scope = Literal["run", "setting", "sweep"]
Severity = Literal["problem", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing that a careful reader of the curves would point at.

    `subject`: the run's name, the setting's label, or "" of the sweep. `sentence`: plain words with the
    numbers that fired; `numbers`: the same by name. A setting's number is the median over the runs that
    have the finding, with `<name>_min` and `<name>_max` beside it, and `fired` of `runs` runs.
    """

    kind: str
    scope: Scope
    subject: str
    severity: Severity
    sentence: str
    numbers: Mapping[str, float]


@dataclass(frozen=True)
class Diagnosis:
    """`findings`: of the sweep, then of settings, then of runs; within each, problems first.

    `unchecked`: kind, and why it could not be checked.
    """

    findings: list[Finding]
    unchecked: list[tuple[str, str]]
