"""What a section of the comparison is: contestants, claims about them, its rows of the opening table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from dlx.study.plan import cores
from tests.benchmarks.images import Prepared
from tests.benchmarks.measure import Contestant, Samples, ratio

WHOLE = "wall"  # seconds from the start of the first process to the end of the last
START_UP = "start-up"
TRAINING = "training"

Quantity = tuple[str, str]  # of a contestant: its name, the quantity's
Measured = Mapping[str, Samples]


@dataclass(frozen=True)
class Setting:
    """What every section is given.

    `share`: of the epochs that peers train; the rest is scaled. `size`: of all epochs that anybody
    trains, below 1 only to try the benchmark out. `processes`: what "in processes" means, for everybody.
    """

    images: Prepared
    rounds: int = 3
    share: float = 1 / 40
    size: float = 1.0
    processes: int = field(default_factory=cores)

    def words(self, *words: str, epochs: int) -> tuple[str, ...]:
        """Return these words of `dlx train`, on the common images, for this many epochs at full size."""
        sizes = () if "data=npz" in self.images.words else ("data.train_size=1000", "data.val_size=500")
        return (*self.images.words, *sizes, *words, f"epochs={self.epochs(epochs)}")

    def epochs(self, full: int) -> int:
        """Return how many epochs of a run's full number are trained at this size."""
        return max(2, round(full * self.size))

    def layout(self, processes: int) -> tuple[str, ...]:
        """Return the words that give a command of dlx so many processes of one thread."""
        return (f"launcher.processes={processes}", "threads=1")


@dataclass(frozen=True)
class Claim:
    """A bound on the ratio of a median to the smallest of others or, without any, on a median in seconds.

    `fastest`: of each contestant's fastest round instead of the median, because what else the machine does
    only adds; for bounds that are closer than a machine's noise.
    """

    text: str
    over: Quantity
    under: Sequence[Quantity]
    bound: float
    at_most: bool = True
    fastest: bool = False

    def reached(self, measured: Measured) -> float | None:
        """Return the number that was reached; None if it was not measured."""
        estimate = fastest if self.fastest else median
        over = estimate(measured, self.over)
        if not self.under:
            return over
        others = [estimate(measured, quantity) for quantity in self.under]
        known = [other for other in others if other is not None]
        return ratio(over, min(known)) if len(known) == len(others) else None

    def holds(self, measured: Measured) -> bool | None:
        """Return whether the bound was kept; None if it was not measured."""
        reached = self.reached(measured)
        if reached is None:
            return None
        return reached <= self.bound if self.at_most else reached >= self.bound

    @property
    def unit(self) -> str:
        """What a number reached is in."""
        return "" if self.under else " s"

    def says(self, measured: Measured) -> str:
        """Return the text for the table."""
        return self.text


@dataclass(frozen=True)
class Worst:
    """Claims of one bound, by name, that the worst of them decides for all."""

    text: str
    parts: Mapping[str, Claim]

    @property
    def unit(self) -> str:
        """What a number reached is in."""
        return "".join({part.unit for part in self.parts.values()})

    def reached(self, measured: Measured) -> float | None:
        """Return the worst number; None if one of the parts was not measured."""
        worst = self._worst(measured)
        return worst and worst[0]

    def holds(self, measured: Measured) -> bool | None:
        """Return whether all parts hold; None if one of them was not measured."""
        worst = self._worst(measured)
        return worst and self.parts[worst[1]].holds(measured)

    def says(self, measured: Measured) -> str:
        """Return the text for the table, with the name of the worst part."""
        worst = self._worst(measured)
        return self.text if worst is None else f"{self.text}; the worst: {worst[1]}"

    def _worst(self, measured: Measured) -> tuple[float, str] | None:
        reached = [(part.reached(measured), name) for name, part in self.parts.items()]
        known = [(number, name) for number, name in reached if number is not None]
        if len(known) < len(reached):
            return None
        at_most = all(part.at_most for part in self.parts.values())
        return max(known) if at_most else min(known)


@dataclass(frozen=True)
class Case:
    """A row of the opening table: what a user would do by dlx or by other means.

    `peers`, by name: each by its best way, of which the fastest is shown; `usual`: as its users have it, of
    which the fastest is shown, too. `limit`: what no way can undercut.
    """

    name: str
    auto: Quantity
    loop: Quantity | None = None
    peers: Mapping[str, Quantity] = field(default_factory=dict)
    usual: Mapping[str, Quantity] = field(default_factory=dict)
    limit: Quantity | None = None


@dataclass(frozen=True)
class Section:
    """`about`: what is measured, in Markdown; `base`: what the table's ratios are to, if to anything.

    `rounds`: a factor, for what is short. `conclude`: makes what follows the tables, in Markdown.
    """

    about: str
    contestants: Mapping[str, Contestant]
    claims: Sequence[Claim | Worst] = ()
    base: Quantity | None = None
    cases: Sequence[Case] = ()
    rounds: int = 1
    conclude: Callable[[Measured], str] | None = None


def median(measured: Measured, quantity: Quantity) -> float | None:
    """Return the median of a quantity; None if it was not measured."""
    samples = measured.get(quantity[0])
    return None if samples is None else samples.median(quantity[1])


def fastest(measured: Measured, quantity: Quantity) -> float | None:
    """Return the smallest value of a quantity; None if it was not measured."""
    known = median(measured, quantity) is not None
    return min(measured[quantity[0]].seconds[quantity[1]]) if known else None
