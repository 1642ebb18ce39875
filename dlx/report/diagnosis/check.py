"""A check of runs: it detects one pathology in each run, and describes it for one run or several."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from dlx.report.diagnosis.evidence import Block, Evidence
from dlx.report.diagnosis.finding import SEVERITIES, Severity
from dlx.report.diagnosis.trend import SHORTEST, Flags, Floats
from dlx.report.text import MISSING

Numbers = dict[str, float]


@dataclass
class Detections:
    """`numbers`: for each run with the finding. `severities`: of those where it is more than a note.

    `unchecked`: by reason, how many runs could not be checked, or 0 if the reason applies to all runs.
    """

    numbers: dict[str, Numbers] = field(default_factory=dict)
    severities: dict[str, Severity] = field(default_factory=dict)
    unchecked: Counter[str] = field(default_factory=Counter)

    def add(self, run: str, severity: Severity, numbers: Numbers) -> None:
        """Add a run with the finding."""
        self.numbers[run], self.severities[run] = numbers, severity

    def without(self, runs: Collection[str]) -> "Detections":
        """Return the detections in the other runs."""
        return replace(self, numbers={run: each for run, each in self.numbers.items() if run not in runs})


@dataclass(frozen=True)
class Range:
    """One number of several runs: `f"{range:.3f}"` writes its ends, or one value if both read the same."""

    values: Sequence[float]

    def __format__(self, form: str) -> str:
        if not self.values:
            return MISSING
        low, high = format(min(self.values), form), format(max(self.values), form)
        return low if low == high else f"{low}{MISSING}{high}"

    @property
    def percent(self) -> str:
        """Write fractions in per cent, with a decimal if any is below 10%."""
        digits = 0 if min(self.values, default=0) >= 0.095 else 1
        return f"{Range([100 * value for value in self.values]):,.{digits}f}%"


@dataclass(frozen=True)
class Affected:
    """The numbers of those of `runs` runs that share a finding, for its sentence."""

    numbers: Sequence[Numbers]
    runs: int

    def __getitem__(self, name: str) -> Range:
        return Range([numbers[name] for numbers in self.numbers if name in numbers])

    def __contains__(self, name: str) -> bool:
        return any(name in numbers for numbers in self.numbers)

    @property
    def where(self) -> str:
        """Return in how many runs the finding occurs, "" for a single run."""
        return f" in {len(self.numbers)} of {self.runs} runs" if self.runs > 1 else ""

    def clauses(self, texts: Mapping[str, str]) -> list[str]:
        """Return the texts of the numbers that any run has, and how many runs have them unless all do."""
        counts = {name: len(self[name].values) for name in texts if name in self}
        return [
            texts[name] + (f" in {count} of them" if count < len(self.numbers) else "")
            for name, count in counts.items()
        ]


@dataclass(frozen=True)
class Check:
    """One pathology: `detect` examines all runs, `describe` writes the sentence for one or several.

    `training_failure`: whether its problems mean that training failed. `instead_of`: kinds that are left out
    where this one is found, because it explains them. `on_surfaces`: whether it applies to gradient descent
    on a surface, which uses no data. `of_classes`: whether it is about accuracy, which not all runs have.
    """

    kind: str
    detect: Callable[[Evidence], Detections]
    describe: Callable[[Affected], str]
    training_failure: bool = False
    instead_of: tuple[str, ...] = ()
    on_surfaces: bool = False
    of_classes: bool = False


@dataclass(frozen=True)
class Examination:
    """What a check found in a block of runs [R].

    `able_R`: which runs can be checked. `fires_R`: which of them have the finding, as a problem where
    `problem_R`, as a trade-off where `trade_off_R`, else as a note. `numbers`: NaN where a run does not have
    that number. `reason`: why the other runs cannot be checked.
    """

    able_R: Flags
    fires_R: Flags
    problem_R: Flags | bool
    numbers: Mapping[str, Floats]
    reason: str
    trade_off_R: Flags | bool = False


def in_blocks(
    examine: Callable[[Block], Examination], *, shortest: int = SHORTEST
) -> Callable[[Evidence], Detections]:
    """Make a `detect` that examines every block of runs with at least `shortest` epochs."""

    def detect(evidence: Evidence) -> Detections:
        detections = Detections()
        for block in evidence.blocks:
            if block.epochs < shortest:
                detections.unchecked[f"fewer than {shortest} epochs"] += len(block.runs)
                continue
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # in runs that are not able
                seen = examine(block)
            if not seen.able_R.all():
                detections.unchecked[seen.reason] += int((~seen.able_R).sum())
            rank_R = np.where(seen.problem_R, 0, np.where(seen.trade_off_R, 1, 2))
            rank_R = np.broadcast_to(rank_R, len(block.runs))
            for index in np.flatnonzero(seen.able_R & seen.fires_R):
                numbers = {name: float(values_R[index]) for name, values_R in seen.numbers.items()}
                finite = {name: each for name, each in numbers.items() if np.isfinite(each)}
                detections.add(block.runs[index], SEVERITIES[rank_R[index]], finite)
        return detections

    return detect
