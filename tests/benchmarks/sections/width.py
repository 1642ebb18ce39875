"""What seeds cost: 64 of a narrow net against one, 8 of the usual net stacked against one after another."""

from tests.benchmarks import dlx_runs
from tests.benchmarks.dlx_runs import Command
from tests.benchmarks.measure import Contestant
from tests.benchmarks.section import TRAINING, WHOLE, Claim, Section, Setting

EPOCHS = 150
ONE, MANY = "width 16, 1 seed", "width 16, 64 seeds"
LOOP, STACK = "width 128, 8 seeds, engine=loop", "width 128, 8 seeds"

ABOUT = """
`dlx train model.width=... seed=range(N)`, Adam 1e-4, batch 32, {epochs} epochs, `engine={engine}` unless said
otherwise, the whole machine at hand; the loop trains one run after another (`launcher.processes=1`).
`training` is from the first run's start to the end of the last epoch of all: imports, and Hydra before the
first run, are not in it.
"""


def describe(setting: Setting) -> Section:
    """Return the section."""
    engine = f"engine={setting.engine}"
    return Section(
        about=ABOUT.format(epochs=EPOCHS, engine=setting.engine),
        contestants={
            ONE: grid(setting, 1, EPOCHS, "model.width=16", engine),
            MANY: grid(setting, 64, EPOCHS, "model.width=16", engine),
            LOOP: grid(setting, 8, EPOCHS, "model.width=128", "engine=loop", "launcher.processes=1"),
            STACK: grid(setting, 8, EPOCHS, "model.width=128", engine),
        },
        claims=[
            Claim("64 seeds of width 16: at most 12 times one run", (MANY, TRAINING), (ONE, TRAINING), 12),
            Claim("the same, whole commands", (MANY, WHOLE), (ONE, WHOLE), 12),
            Claim(
                "8 seeds of width 128: at least 1.8 times faster than engine=loop one after another",
                (LOOP, TRAINING),
                (STACK, TRAINING),
                1.8,
                at_most=False,
            ),
            Claim("the same, whole commands", (LOOP, WHOLE), (STACK, WHOLE), 1.8, at_most=False),
        ],
    )


def grid(setting: Setting, seeds: int, epochs: int, *words: str) -> Contestant:
    """Return a contestant: `dlx train` with these words and this many seeds, whole and training alone."""
    command = Command(
        setting.words(*words, f"seed=range({seeds})", "optimizer.lr=1e-4", epochs=epochs), seeds
    )

    def contestant() -> dict[str, float]:
        wall = dlx_runs.train([command])
        return {WHOLE: wall.whole, TRAINING: wall.training}

    return contestant
