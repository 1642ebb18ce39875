"""A2 to A6, 37 runs, by everybody."""

from tests.benchmarks import dlx_runs
from tests.benchmarks.dlx_runs import Command
from tests.benchmarks.measure import Contestant
from tests.benchmarks.recipe import shortened
from tests.benchmarks.section import START_UP, WHOLE, Claim, Section, Setting
from tests.benchmarks.suite import RECIPES, SUITE
from tests.benchmarks.workers import Job, train_all

NOTEBOOK, AS_IT_STANDS = "notebook's loop", "notebook as it stands"
LIGHTNING, SKORCH, LIMIT = "Lightning", "skorch", "the limit"
# Commands side by side: the loop trains run after run on one thread, so the second core is for another one;
# engines that use both cores by themselves get one command after another, as a user types them.
AT_ONCE = {"loop": 2, "stacked": 1, "auto": 1}

ABOUT = """
37 runs on 1000 + 500 images of Fashion-MNIST: optimizer by learning rate (8), batch size (5), batch norm (2),
augmentation (16, of 250 epochs; all others 150), width (6). Wall time with both cores for everyone:
{processes} processes of one thread, a run at a time each, longest first. "As it stands" is one process with
the threads that torch takes by itself. Images of notebook and Lightning come one by one as torchvision gives
them (a Pillow image, ToTensor); skorch has them in memory, and augments one by one, too.

dlx: five commands, `dlx train sweep=fashion_...`; so many side by side: {side_by_side}. Start-up is the time
of all five in which no run was being trained.

The limit: the matrix products of training's forward and backward pass and the fused optimizer step. No
autograd, activations, loss, norms, augmentation or validation.

"""
SCALED = """\
Notebook, skorch and Lightning train {share:.3g} of each run's epochs, two at least, and what epochs take is
scaled to all of them; start-up and set-up count once. dlx and the limit train all.
"""


def describe(setting: Setting) -> Section:
    """Return the section."""
    contestants: dict[str, Contestant] = {
        NOTEBOOK: _loops(setting, "notebook"),
        AS_IT_STANDS: _loops(setting, "notebook", processes=1, threads=None),
        LIGHTNING: _loops(setting, "lightning_net"),
        SKORCH: _loops(setting, "skorch_net"),
        **{_dlx(engine): _presets(setting, engine) for engine in AT_ONCE},
        LIMIT: _loops(setting, "limit", scaled=False),
    }
    ours = (_dlx(setting.engine), WHOLE)
    return Section(
        about=_about(setting),
        contestants=contestants,
        claims=[
            Claim("at least 10 times faster than the notebook's loop", (NOTEBOOK, WHOLE), ours, 10, False),
            Claim("at least 12 times faster than Lightning", (LIGHTNING, WHOLE), ours, 12, False),
            Claim("at least 3 times faster than skorch", (SKORCH, WHOLE), ours, 3, False),
            Claim("at most 2 times the limit", ours, (LIMIT, WHOLE), 2),
        ],
        base=ours,
    )


def _about(setting: Setting) -> str:
    side_by_side = ", ".join(f"{engine} {count}" for engine, count in AT_ONCE.items())
    about = ABOUT.format(processes=setting.processes, side_by_side=side_by_side)
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


def _presets(setting: Setting, engine: str) -> Contestant:
    def contestant() -> dict[str, float]:
        longest_first = sorted(SUITE, key=lambda name: sum(r.steps for r in SUITE[name]), reverse=True)
        commands = [_command(setting, name, engine) for name in longest_first]
        wall = dlx_runs.train(commands, at_once=AT_ONCE[engine])
        return {WHOLE: wall.whole, START_UP: wall.start_up}

    return contestant


def _command(setting: Setting, name: str, engine: str) -> Command:
    words = [f"sweep={name}", *setting.images.words, f"engine={engine}"]
    if AT_ONCE[engine] > 1:
        words.append("threads=1")
    if setting.size != 1:
        words.append(f"epochs={shortened(SUITE[name][0], setting.size).epochs}")
    return Command(tuple(words), len(SUITE[name]))


def _dlx(engine: str) -> str:
    return f"dlx engine={engine}"
