"""Widths by numbers of runs: the loop, the stack and what `engine=auto` takes, in the same processes."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dlx.study.estimate import SECONDS_A_MULTIPLY_ADD, SECONDS_A_STEP
from dlx.study.plan import WORTH_A_PROCESS
from tests.benchmarks import dlx_runs, peers
from tests.benchmarks.dlx_runs import Command
from tests.benchmarks.measure import Contestant
from tests.benchmarks.nets import CLASSES
from tests.benchmarks.peers import PLAIN
from tests.benchmarks.recipe import TRAIN_SAMPLES, Recipe
from tests.benchmarks.section import WHOLE, Case, Claim, Section, Setting, Worst

WIDTHS, RUNS = (16, 64, 128, 512), (1, 4, 16, 64)
ENGINES = ("loop", "stacked", "auto")
EPOCHS = 150  # of a run of A2
PEER = f"{PLAIN.name}, {EPOCHS} epochs"
# Of dlx's own estimate. From WORTH_A_PROCESS on, dlx measures its engines and starts processes; below, it
# does neither, because it would not pay.
COST = 1.1 * WORTH_A_PROCESS

ABOUT = """
A2's net (784-W-W/2-10, Adam 1e-4, batch 32, 1000 + 500 images of Fashion-MNIST), `dlx train model.width=W
seed=range(N)`, by both engines and by `engine=auto`, which measures both and takes the faster one. All three
have the same processes of one thread: {processes} x 1 stands for `launcher.processes={processes} threads=1`.
A single run has nothing to be stacked with: `loop` and `auto` then do the same, and what they differ by is
this machine's noise.

The first columns are milliseconds of a process for one epoch of one run, with its validation. The others are
seconds of the whole command with {epochs} epochs for each run, as A2 has.
A cell of several runs trains as many epochs as dlx's own estimate puts at {cost:.3g} s, which is {factor:.3g}
times that from which it measures its engines; epochs beyond are scaled. The commands have an empty cache:
`engine=auto` measures anew each time, before the first run starts. The plain loop ({processes} x 1) is that
of the suite.
"""


@dataclass(frozen=True)
class Cell:
    """So many runs of a width in so many processes."""

    width: int
    runs: int
    processes: int

    @property
    def name(self) -> str:
        """What its row is called."""
        runs = "1 run" if self.runs == 1 else f"{self.runs} runs"
        return f"width {self.width}, {runs}, {self.processes} x 1"

    @property
    def engines(self) -> tuple[str, ...]:
        """The engines to compare: one run is never stacked."""
        return ENGINES if self.runs > 1 else ("loop", "auto")

    @property
    def epochs(self) -> int:
        """How many epochs of each run cost COST, three at least; one run alone needs no measurement."""
        recipe = Recipe(hidden=(self.width, self.width // 2))
        sizes = (28 * 28, *recipe.hidden, CLASSES)
        multiply_adds = recipe.batch_size * sum(math.prod(sizes[i : i + 2]) for i in range(len(sizes) - 1))
        step = SECONDS_A_STEP + multiply_adds * SECONDS_A_MULTIPLY_ADD
        steps = math.ceil(TRAIN_SAMPLES / recipe.batch_size)
        return max(3, math.ceil((COST if self.runs > 1 else COST / 4) / (step * steps * self.runs)))


def cells(setting: Setting) -> Iterator[Cell]:
    """Yield all cells; those with the most runs have the whole machine, too."""
    for processes in dict.fromkeys((1, setting.processes)):
        for width in WIDTHS:
            for runs in RUNS if processes == 1 else RUNS[-1:]:
                yield Cell(width, runs, processes)


def describe(setting: Setting) -> Section:
    """Return the section."""
    every = list(cells(setting))
    narrow = {
        cell.name: Claim("", (cell.name, _ms("loop")), [(cell.name, _ms("stacked"))], 4, at_most=False)
        for cell in every
        if cell.width == WIDTHS[0] and cell.runs >= 16
    }
    whole_machine = [cell for cell in every if _has_peer(setting, cell)]
    return Section(
        about=ABOUT.format(
            epochs=EPOCHS, cost=COST, factor=COST / WORTH_A_PROCESS, processes=setting.processes
        ),
        contestants={cell.name: _contestant(setting, cell) for cell in every},
        claims=[
            _within_5_percent("training: auto within 5% of the better engine", every, _ms),
            _within_5_percent("the same, whole commands with what auto measures", every, _whole),
            Worst("16 and 64 runs of width 16: stacked at least 4 times faster than the loop", narrow),
        ],
        cases=[
            Case(
                f"{cell.runs} runs of width {cell.width}, {EPOCHS} epochs",
                (cell.name, _whole("auto")),
                (cell.name, _whole("loop")),
                peers={f"{PLAIN.name}, {peers.in_processes(setting)}": (cell.name, PEER)},
            )
            for cell in whole_machine
        ],
    )


def _within_5_percent(text: str, every: Sequence[Cell], quantity: Callable[[str], str]) -> Worst:
    parts = {}
    for cell in every:
        *others, auto = ((cell.name, quantity(engine)) for engine in cell.engines)
        parts[cell.name] = Claim("", auto, others, 1.05, fastest=True)
    return Worst(text, parts)


def _contestant(setting: Setting, cell: Cell) -> Contestant:
    epochs = setting.epochs(cell.epochs)

    def measure() -> dict[str, float]:
        walls = {}
        for engine in cell.engines:
            words = (f"model.width={cell.width}", f"seed=range({cell.runs})", "optimizer.lr=1e-4")
            words = (*words, f"engine={engine}", *setting.layout(cell.processes))
            walls[engine] = dlx_runs.train(Command(setting.words(*words, epochs=epochs), cell.runs))
        training = {_ms(each): 1000 * wall.training / epochs / cell.runs for each, wall in walls.items()}
        whole = {
            _whole(each): wall.whole + wall.training / cell.processes * (EPOCHS / epochs - 1)
            for each, wall in walls.items()
        }
        return training | whole | (_plain(setting, cell, epochs) if _has_peer(setting, cell) else {})

    return measure


def _has_peer(setting: Setting, cell: Cell) -> bool:
    return cell.runs == RUNS[-1] and cell.processes == setting.processes


def _plain(setting: Setting, cell: Cell, epochs: int) -> dict[str, float]:
    hidden = (cell.width, cell.width // 2)
    recipes = [Recipe(hidden=hidden, epochs=EPOCHS, seed=seed) for seed in range(cell.runs)]
    return {PEER: peers.contestant(setting, PLAIN, recipes, share=epochs / EPOCHS)()[WHOLE]}


def _ms(engine: str) -> str:
    return f"{engine}, ms"


def _whole(engine: str) -> str:
    return f"{engine}, {EPOCHS} epochs"
