"""A2 to A6, 37 runs, by everybody."""

from tests.benchmarks import dlx_runs
from tests.benchmarks.dlx_runs import Command
from tests.benchmarks.measure import Contestant
from tests.benchmarks.recipe import shortened
from tests.benchmarks.section import START_UP, WHOLE, Claim, Section, Setting
from tests.benchmarks.suite import RECIPES, preset_of_all
from tests.benchmarks.workers import Job, train_all

PEERS = {"notebook's loop": "notebook", "Lightning": "lightning_net", "skorch": "skorch_net"}
BOUNDS = {"notebook's loop": 10, "Lightning": 12, "skorch": 3}
IN_PROCESSES = ", in processes"
LIMIT = "the limit"
ENGINES = ("auto", "loop")

ABOUT = """
37 runs on 1000 + 500 images of Fashion-MNIST: optimizer by learning rate (8), batch size (5), batch norm (2),
augmentation (16, of 250 epochs; all others 150), width (6). Wall time, the whole machine at hand for
everyone.

The notebook's loop, Lightning and skorch train one run after another on the threads that torch takes by
itself, as their users have it; "{in_processes}" is the best that a loop can do on these cores: {processes}
processes of one thread, a run at a time each, longest first. Images of notebook and Lightning come one by one
as torchvision gives them (a Pillow image, ToTensor); skorch has them in memory, and augments one by one, too.

dlx: one command, `dlx train sweep=suite`, a preset of the 37 points (each experiment with a seed of its own,
so that no two are one and the same run). Start-up is the time in which no run was being trained.

The limit, in processes: the matrix products of training's forward and backward pass and the fused optimizer
step. No autograd, activations, loss, norms, augmentation or validation.

"""
SCALED = """\
Notebook, skorch and Lightning train {share:.3g} of each run's epochs, two at least, and what epochs take is
scaled to all of them; start-up and set-up count once. dlx and the limit train all.
"""


def describe(setting: Setting) -> Section:
    """Return the section."""
    contestants: dict[str, Contestant] = {}
    for name, module in PEERS.items():
        contestants[name] = _loops(setting, module, processes=1, threads=None)
        contestants[name + IN_PROCESSES] = _loops(setting, module)
    contestants |= {_dlx(engine): _suite(setting, engine) for engine in ENGINES}
    contestants[LIMIT] = _loops(setting, "limit", scaled=False)
    ours = (_dlx(setting.engine), WHOLE)
    peers = [
        Claim(f"at least {bound} times faster than {name}{way}", (name + way, WHOLE), ours, bound, False)
        for way in ("", IN_PROCESSES)
        for name, bound in BOUNDS.items()
    ]
    return Section(
        about=_about(setting),
        contestants=contestants,
        claims=[*peers, Claim("at most 2 times the limit", ours, (LIMIT, WHOLE), 2)],
        base=ours,
    )


def _about(setting: Setting) -> str:
    about = ABOUT.format(processes=setting.processes, in_processes=IN_PROCESSES.lstrip(", "))
    return about + (
        SCALED.format(share=setting.share) if setting.share < 1 else "Everybody trains all epochs.\n"
    )


def _loops(
    setting: Setting,
    module: str,
    *,
    processes: int | None = None,
    threads: int | None = 1,
    scaled: bool = True,
) -> Contestant:
    def contestant() -> dict[str, float]:
        recipes = [shortened(recipe, setting.size) for recipe in RECIPES]
        wall = train_all(
            Job(f"tests.benchmarks.{module}", setting.images.file, threads),
            recipes,
            processes=processes or setting.processes,
            share=setting.share if scaled else 1.0,
        )
        return {WHOLE: wall.whole, START_UP: wall.start_up}

    return contestant


def _suite(setting: Setting, engine: str) -> Contestant:
    def contestant() -> dict[str, float]:
        words = ["sweep=suite", *setting.images.words, f"engine={engine}", "name=suite"]
        preset = {"conf/sweep/suite.yaml": preset_of_all(setting.size)}
        wall = dlx_runs.train([Command((*words,), len(RECIPES), preset)])
        return {WHOLE: wall.whole, START_UP: wall.start_up}

    return contestant


def _dlx(engine: str) -> str:
    return f"dlx engine={engine}"
