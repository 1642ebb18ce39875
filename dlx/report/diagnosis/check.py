"""What a check of runs is: it finds numbers run by run, and puts those of one or of many into words."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dlx.report.diagnosis.evidence import Block, Evidence
from dlx.report.diagnosis.trend import SHORTEST, Flags, Floats
from dlx.report.text import MISSING

Numbers = dict[str, float]


@dataclass
class Found:
    """`numbers`: of each run that has the finding. `problems`: those of them where it is no mere note.

    `unchecked`: by reason, how many runs could not be checked.
    """

    numbers: dict[str, Numbers] = field(default_factory=dict)
    problems: set[str] = field(default_factory=set)
    unchecked: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Verdict:
    """What a check found in a block, by run [R]. `reason`: why those not `able` could not be checked."""

    able_R: Flags
    fired_R: Flags
    problem_R: Flags
    numbers: Mapping[str, Floats]
    reason: str


@dataclass(frozen=True)
class Told:
    """The numbers of the runs that share a finding, `fired` of `runs`, for a sentence."""

    numbers: Sequence[Numbers]
    runs: int

    @property
    def where(self) -> str:
        """Say in how many runs; nothing of a single one."""
        return f" in {len(self.numbers)} of {self.runs} runs" if self.runs > 1 else ""

    def has(self, name: str) -> bool:
        """Say whether any run has this number."""
        return any(name in numbers for numbers in self.numbers)

    def some(self, name: str) -> str:
        """Say of how many of these runs the number speaks; nothing if it speaks of all."""
        having = sum(name in numbers for numbers in self.numbers)
        return f" (in {having} of them)" if having < len(self.numbers) else ""

    def between(self, name: str, write: Callable[[float], str]) -> str:
        """Write the number: its range over the runs, one value where both ends are written alike."""
        values = [numbers[name] for numbers in self.numbers if name in numbers]
        low, high = write(min(values)), write(max(values))
        return low if low == high else f"{low}{MISSING}{high}"

    def epoch(self, name: str = "epoch") -> str:
        """Write "epoch 12", or the range of several."""
        return f"epoch {self.between(name, lambda value: f'{value:.0f}')}"

    def loss(self, name: str) -> str:
        """Write a loss with three digits or so."""
        return self.between(name, lambda value: f"{value:.3g}")

    def accuracy(self, name: str) -> str:
        """Write an accuracy with three decimals."""
        return self.between(name, lambda value: f"{value:.3f}")

    def percent(self, name: str) -> str:
        """Write a share in per cent, two digits or so."""
        return f"{self.between(name, lambda value: f'{100 * value:,.{0 if value >= 0.095 else 1}f}')}%"

    def times(self, name: str) -> str:
        """Write a ratio with two digits or so."""
        return self.between(name, lambda value: f"{value:,.0f}" if value >= 9.95 else f"{value:.1f}")


@dataclass(frozen=True)
class Check:
    """One pathology: `find` looks at all runs, `describe` writes the sentence for one or several."""

    kind: str
    find: Callable[[Evidence], Found]
    describe: Callable[[Told], str]


def by_block(evidence: Evidence, examine: Callable[[Block], Verdict], *, shortest: int = SHORTEST) -> Found:
    """Examine every block of runs with at least `shortest` epochs and gather the verdicts."""
    found = Found()
    for block in evidence.blocks:
        if block.epochs < shortest:
            found.unchecked[f"fewer than {shortest} epochs"] += len(block.runs)
            continue
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # of runs that are not able
            verdict = examine(block)
        fired_R = verdict.able_R & verdict.fired_R
        if not verdict.able_R.all():
            found.unchecked[verdict.reason] += int((~verdict.able_R).sum())
        for place in np.flatnonzero(fired_R):
            run = block.runs[place]
            found.numbers[run] = {
                name: float(values_R[place])
                for name, values_R in verdict.numbers.items()
                if np.isfinite(values_R[place])
            }
            if verdict.problem_R[place]:
                found.problems.add(run)
    return found
