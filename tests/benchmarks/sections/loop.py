"""One run of A2, a core each: `engine=loop` and the notebook's loop."""

from tests.benchmarks import dlx_runs
from tests.benchmarks.dlx_runs import Command
from tests.benchmarks.recipe import Recipe
from tests.benchmarks.section import START_UP, TRAINING, WHOLE, Claim, Section, Setting
from tests.benchmarks.workers import Job, Wall, train_all

NOTEBOOK, OURS, LIMIT = "notebook's loop", "dlx engine=loop", "the limit"
EPOCHS, RATE = 150, 1e-3

ABOUT = """
Adam {rate:g}, batch 32, {epochs} epochs of 1000 + 500 images, one process of one thread, all epochs trained
by everybody. `training` is the epochs with their validation. Start-up is the rest: imports, data; of dlx
Hydra and files, too.
"""


def describe(setting: Setting) -> Section:
    """Return the section."""
    return Section(
        about=ABOUT.format(rate=RATE, epochs=EPOCHS),
        contestants={
            NOTEBOOK: lambda: _loop(setting, "notebook"),
            OURS: lambda: _ours(setting),
            LIMIT: lambda: _loop(setting, "limit"),
        },
        claims=[
            Claim("at most 35% of the notebook's time", (OURS, TRAINING), (NOTEBOOK, TRAINING), 0.35),
            Claim("the same, whole processes", (OURS, WHOLE), (NOTEBOOK, WHOLE), 0.35),
        ],
        base=(OURS, TRAINING),
    )


def _loop(setting: Setting, module: str) -> dict[str, float]:
    recipe = Recipe(lr=RATE, epochs=setting.epochs(EPOCHS))
    job = Job(f"tests.benchmarks.{module}", setting.images.file)
    return _named(train_all(job, [recipe], processes=1))


def _ours(setting: Setting) -> dict[str, float]:
    words = setting.words(f"optimizer.lr={RATE}", "engine=loop", "threads=1", epochs=EPOCHS)
    return _named(dlx_runs.train([Command(words, 1)]))


def _named(wall: Wall) -> dict[str, float]:
    return {WHOLE: wall.whole, TRAINING: wall.training, START_UP: wall.start_up}
