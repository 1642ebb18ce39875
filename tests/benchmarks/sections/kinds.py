"""A small convolutional net, a user's own module and many seeds of a tiny net, by everybody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from tests.benchmarks import dlx_runs, peers
from tests.benchmarks.dlx_runs import Command
from tests.benchmarks.measure import Contestant
from tests.benchmarks.peers import FUNCTIONAL, PLAIN, SKORCH
from tests.benchmarks.recipe import Recipe, shortened
from tests.benchmarks.section import START_UP, WHOLE, Case, Claim, Quantity, Section, Setting, Worst

ENGINES = ("loop", "stacked", "auto")
OWN_NET = Path(__file__).parents[1] / "own_net.py"
SHARE = 1 / 5  # of the epochs that peers train: these runs are short


@dataclass(frozen=True)
class Kind:
    """Seeds of one net: words of dlx and the same as a recipe; `digits`: its data is not Fashion-MNIST."""

    name: str
    words: tuple[str, ...]
    recipe: Recipe
    runs: int
    digits: bool = False
    files: Mapping[str, str] = field(default_factory=dict)

    def recipes(self) -> list[Recipe]:
        """Return a recipe for each run."""
        return [replace(self.recipe, seed=seed) for seed in range(self.runs)]

    def ensembles(self, count: int) -> list[Recipe]:
        """Return the runs as so many ensembles of about equal size."""
        bounds = [self.runs * part // count for part in range(count + 1)]
        return [replace(self.recipe, seed=a, members=b - a) for a, b in pairwise(bounds)]


def kinds() -> list[Kind]:
    """Return what is measured."""
    return [
        Kind(
            "a small CNN on digits, 16 seeds",
            ("model=cnn", "model.channels=[8,16]"),
            Recipe(net="cnn", hidden=(8, 16), norm="batch", lr=1e-3, epochs=30),
            16,
            digits=True,
        ),
        Kind(
            "an own module, 32 seeds",
            ("model=custom", "model.target=own_net:Gated", "+model.width=32"),
            Recipe(net="own", hidden=(32,), lr=1e-3, epochs=15),
            32,
            files={"own_net.py": OWN_NET.read_text(encoding="utf-8")},
        ),
        Kind(
            "a tiny net on digits, 256 seeds",
            ("model.width=8",),
            Recipe(hidden=(8, 4), lr=1e-2, epochs=10),
            256,
            digits=True,
        ),
    ]


ABOUT = """
Whole commands of Adam, batch 32. {kinds}.
The own module has a forward of its own, with LayerNorm, GELU and gates: dlx stacks it through vmap.

All engines of dlx have {processes} processes of one thread ({processes} x 1), and an empty cache: what
`engine=auto` measures is in its time. torch.func is an ensemble written by hand: `stack_module_state`,
`functional_call`, `vmap` and `grad`, batches for each member, one fused Adam over the stacked parameters; in
{processes} x 1 each process trains a part of the seeds.

{peers}

The peers train {share:.3g} of the epochs, two at least, and what epochs take is scaled. There are so many
epochs that dlx measures its engines, as it does for what takes more than seconds.
"""


def describe(setting: Setting) -> Section:
    """Return the section."""
    contestants: dict[str, Contestant] = {}
    cases = []
    for kind in kinds():
        of_peers = _peers(setting, kind)
        contestants |= {f"{kind.name}: {way}": contestant for way, contestant in of_peers.items()}
        contestants |= {_dlx(setting, kind, engine)[0]: _command(setting, kind, engine) for engine in ENGINES}
        usual = f"{SKORCH.name}, {peers.as_usual(setting)}"
        cases.append(
            Case(
                kind.name,
                _dlx(setting, kind, "auto"),
                _dlx(setting, kind, "loop"),
                peers={way: (f"{kind.name}: {way}", WHOLE) for way in of_peers if way != usual},
                usual={SKORCH.name: (f"{kind.name}: {usual}", WHOLE)},
            )
        )
    return Section(
        about=ABOUT.format(
            kinds=", ".join(f"{_capital(kind.name)}: {kind.recipe.epochs} epochs" for kind in kinds()),
            processes=setting.processes,
            peers=peers.about(setting),
            share=SHARE,
        ),
        contestants=contestants,
        claims=_claims(setting, cases),
        cases=cases,
    )


def _claims(setting: Setting, cases: Sequence[Case]) -> list[Claim | Worst]:
    every = {kind.name: kind for kind in kinds()}
    within = {
        case.name: Claim(
            "",
            case.auto,
            [_dlx(setting, every[case.name], engine) for engine in ENGINES[:-1]],
            1.05,
            fastest=True,
        )
        for case in cases
    }
    faster = {case.name: Claim("", case.auto, list(case.peers.values()), 1) for case in cases}
    many = kinds()[-1]
    loop, stacked = (_dlx(setting, many, engine) for engine in ("loop", "stacked"))
    return [
        Worst("auto within 5% of the better engine, what it measures included", within),
        Worst("auto at most as long as the best other way", faster),
        Claim(
            f"{many.name}: stacked at least 4 times faster than the loop", loop, [stacked], 4, at_most=False
        ),
    ]


def _dlx(setting: Setting, kind: Kind, engine: str) -> Quantity:
    return f"{kind.name}: dlx engine={engine}, {peers.in_processes(setting)}", WHOLE


def _command(setting: Setting, kind: Kind, engine: str) -> Contestant:
    recipe = shortened(kind.recipe, setting.size)
    words = (*kind.words, f"optimizer.lr={recipe.lr}", f"seed=range({kind.runs})", f"engine={engine}")
    words = (*words, *setting.layout(setting.processes))
    if kind.digits:
        file = setting.images.digits
        data = ("data=npz", f"data.root={file.parent}", f"data.path={file.name}", "data.standardise=unit")
        words = (*data, *words, f"epochs={recipe.epochs}")
    else:
        words = setting.words(*words, epochs=kind.recipe.epochs)

    def train() -> dict[str, float]:
        wall = dlx_runs.train(Command(words, kind.runs, kind.files))
        return {WHOLE: wall.whole, START_UP: wall.start_up}

    return train


def _peers(setting: Setting, kind: Kind) -> dict[str, Contestant]:
    """Return the peers by way: each in as many processes as cores; skorch as its users have it, too."""
    best, usual = peers.in_processes(setting), peers.as_usual(setting)
    file = setting.images.digits if kind.digits else setting.images.file
    recipes, count = kind.recipes(), setting.processes

    def loop(peer: peers.Peer, processes: int, threads: int | None) -> Contestant:
        return peers.contestant(
            setting, peer, recipes, processes=processes, threads=threads, share=SHARE, file=file
        )

    ensembles = peers.contestant(setting, FUNCTIONAL, kind.ensembles(count), share=SHARE, file=file)
    return {
        f"{PLAIN.name}, {best}": loop(PLAIN, count, 1),
        f"{SKORCH.name}, {usual}": loop(SKORCH, 1, None),
        f"{SKORCH.name}, {best}": loop(SKORCH, count, 1),
        f"{FUNCTIONAL.name}, {best}": ensembles,
    }


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
