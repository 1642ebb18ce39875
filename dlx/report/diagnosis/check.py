"""What a check of runs is: it detects one pathology run by run, and describes it for one run or several."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dlx.report.diagnosis.evidence import Block, Evidence
from dlx.report.diagnosis.trend import SHORTEST, Flags, Floats
from dlx.report.text import MISSING

Numbers = dict[str, float]


@dataclass
class Detections:
    """`numbers`: of each run with the finding. `problems`: the runs where it is a problem, not just a note.

    `unchecked`: by reason, how many runs could not be checked; 0 where the reason holds for all.
    """

    numbers: dict[str, Numbers] = field(default_factory=dict)
    problems: set[str] = field(default_factory=set)
    unchecked: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Range:
    """A number of several runs: `f"{range:.3f}"` writes its ends, or one value where both look the same."""

    values: Sequence[float]

    def __format__(self, form: str) -> str:
        if not self.values:
            return MISSING
        low, high = format(min(self.values), form), format(max(self.values), form)
        return low if low == high else f"{low}{MISSING}{high}"

    @property
    def percent(self) -> str:
        """Write shares in per cent, with a decimal if any is below 10%."""
        digits = 0 if min(self.values, default=0) >= 0.095 else 1
        return f"{Range([100 * value for value in self.values]):,.{digits}f}%"


@dataclass(frozen=True)
class Affected:
    """The numbers of the runs that share a finding, out of `runs`, as a sentence needs them."""

    numbers: Sequence[Numbers]
    runs: int

    def __getitem__(self, name: str) -> Range:
        return Range([numbers[name] for numbers in self.numbers if name in numbers])

    def __contains__(self, name: str) -> bool:
        return any(name in numbers for numbers in self.numbers)

    @property
    def where(self) -> str:
        """Say in how many runs; nothing for a single run."""
        return f" in {len(self.numbers)} of {self.runs} runs" if self.runs > 1 else ""

    def clauses(self, texts: Mapping[str, str]) -> list[str]:
        """Return the text for each number that a run has, with how many have it unless all do."""
        having = {name: len(self[name].values) for name in texts if name in self}
        return [
            texts[name] + (f" in {count} of them" if count < len(self.numbers) else "")
            for name, count in having.items()
        ]


@dataclass(frozen=True)
class Check:
    """One pathology: `detect` looks at all runs, `describe` writes the sentence for one or several.

    `training_failure`: whether its problems mean that training failed. `on_surfaces`: whether it makes sense
    for a point that moves over a surface, where no data is sampled.
    """

    kind: str
    detect: Callable[[Evidence], Detections]
    describe: Callable[[Affected], str]
    training_failure: bool = False
    on_surfaces: bool = False


@dataclass(frozen=True)
class Examination:
    """What a check saw in a block of runs [R].

    `fires_R`: which runs have the finding, among those `able_R` to be checked. `reason`: why the others
    cannot. `numbers`: NaN where a run does not have that number.
    """

    able_R: Flags
    fires_R: Flags
    problem_R: Flags
    numbers: Mapping[str, Floats]
    reason: str


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
            for index in np.flatnonzero(seen.able_R & seen.fires_R):
                numbers = {name: float(values_R[index]) for name, values_R in seen.numbers.items()}
                run = block.runs[index]
                detections.numbers[run] = {name: each for name, each in numbers.items() if np.isfinite(each)}
                if seen.problem_R[index]:
                    detections.problems.add(run)
        return detections

    return detect
