"""What a section of the comparison is: contestants, what is claimed of them, what was measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.benchmarks.images import Prepared
from tests.benchmarks.measure import Contestant, Samples, ratio

WHOLE = "wall"  # from the start of the first process to the end of the last
START_UP = "start-up"
TRAINING = "training"

Quantity = tuple[str, str]  # of a contestant: its name, the quantity's


@dataclass(frozen=True)
class Setting:
    """What every section is given.

    `share`: of the suite's epochs that notebook, skorch and Lightning train; the rest is scaled. `size`: of
    all epochs that anybody trains, below 1 only to try the benchmark out. `engine` stands for dlx where a
    section does not compare dlx's engines.
    """

    images: Prepared
    rounds: int = 3
    share: float = 1 / 25
    size: float = 1.0
    engine: str = "auto"
    processes: int = 2

    def words(self, *words: str, epochs: int) -> tuple[str, ...]:
        """Return these words of `dlx train`, on the common images, for this many epochs at full size."""
        sizes = () if "data=npz" in self.images.words else ("data.train_size=1000", "data.val_size=500")
        return (*self.images.words, *sizes, *words, f"epochs={self.epochs(epochs)}")

    def epochs(self, full: int) -> int:
        """Return how many epochs of a run's full number are trained at this size."""
        return max(2, round(full * self.size))


@dataclass(frozen=True)
class Claim:
    """A bound on the ratio of two medians or, without `under`, on seconds."""

    text: str
    over: Quantity
    under: Quantity | None
    bound: float
    at_most: bool = True

    def reached(self, measured: Mapping[str, Samples]) -> float | None:
        """Return the number that was reached; None if it was not measured."""
        over = _median(measured, self.over)
        return over if self.under is None else ratio(over, _median(measured, self.under))

    def holds(self, measured: Mapping[str, Samples]) -> bool | None:
        """Return whether the bound was kept; None if it was not measured."""
        reached = self.reached(measured)
        if reached is None:
            return None
        return reached <= self.bound if self.at_most else reached >= self.bound


@dataclass(frozen=True)
class Section:
    """`about`: what is measured, in Markdown; `base`: what the table's ratios are to, if to anything."""

    about: str
    contestants: Mapping[str, Contestant]
    claims: Sequence[Claim]
    base: Quantity | None = None


def _median(measured: Mapping[str, Samples], quantity: Quantity) -> float | None:
    samples = measured.get(quantity[0])
    return None if samples is None else samples.median(quantity[1])
