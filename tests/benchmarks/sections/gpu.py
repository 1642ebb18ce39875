"""64 runs of A2 stacked against one, on a GPU, with whatever dlx has to make its steps cheaper there."""

from tests.benchmarks import dlx_runs
from tests.benchmarks.dlx_runs import Command, knows
from tests.benchmarks.measure import Contestant
from tests.benchmarks.section import TRAINING, WHOLE, Claim, Section, Setting

EPOCHS, RUNS = 150, 64
# Words of `dlx train`, each tried if dlx knows the keys; none stands for dlx's defaults.
VARIANTS: tuple[tuple[str, ...], ...] = (
    (),
    ("engine.graphs=true",),
    ("engine.compile=true",),
    ("engine.bf16=true",),
)

ABOUT = """
`dlx train device=cuda seed=range({runs})`, the net and data of A2, {epochs} epochs, `engine=stacked`.
`training` is from the first run's start to the end of the last epoch of all.
"""


def describe(setting: Setting) -> Section:
    """Return the section."""
    variants = [words for words in VARIANTS if not words or knows(words)]
    unknown = [" ".join(words) for words in VARIANTS if words not in variants]
    contestants, claims = {}, []
    for words in variants:
        name = " ".join(words) or "defaults"
        one, many = f"1 run, {name}", f"{RUNS} runs, {name}"
        contestants[one] = _seeds(setting, 1, "device=cuda", *words)
        contestants[many] = _seeds(setting, RUNS, "device=cuda", "engine=stacked", *words)
        claims += [
            Claim(f"{RUNS} runs in at most 1.5 times one, {name}", (many, TRAINING), [(one, TRAINING)], 1.5),
            Claim("the same, whole commands", (many, WHOLE), [(one, WHOLE)], 1.5),
        ]
    left_out = f"Left out, since dlx has no such keys: {', '.join(unknown)}.\n" if unknown else ""
    return Section(
        about=ABOUT.format(runs=RUNS, epochs=EPOCHS) + left_out,
        contestants=contestants,
        claims=claims,
    )


def _seeds(setting: Setting, seeds: int, *words: str) -> Contestant:
    words = setting.words(*words, f"seed=range({seeds})", "optimizer.lr=1e-4", epochs=EPOCHS)

    def contestant() -> dict[str, float]:
        wall = dlx_runs.train(Command(words, seeds))
        return {WHOLE: wall.whole, TRAINING: wall.training}

    return contestant
