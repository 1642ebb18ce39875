"""A hundred runs of one epoch: what a grid costs beside its training."""

from tests.benchmarks import dlx_runs, peers
from tests.benchmarks.dlx_runs import Command
from tests.benchmarks.peers import PLAIN
from tests.benchmarks.recipe import Recipe
from tests.benchmarks.section import WHOLE, Case, Claim, Section, Setting

RUNS = 100
RATES = [0.001 * (1 + step / 10) for step in range(RUNS // 2)]

ABOUT = """
`dlx train data=digits epochs=1 model.width=8 optimizer.lr=(50 values) seed=0,1`, with the processes that dlx
takes by itself, and the plain loop of the suite ({processes} x 1) with as many runs. Whole commands.
"""


def describe(setting: Setting) -> Section:
    """Return the section."""
    other = f"{PLAIN.name}, {peers.in_processes(setting)}"
    recipes = [Recipe(hidden=(8, 4), lr=rate, seed=seed, epochs=1) for rate in RATES for seed in (0, 1)]
    ours, hundred = "dlx", f"{RUNS} runs of one epoch"
    return Section(
        about=ABOUT.format(processes=setting.processes),
        contestants={
            ours: _train,
            other: peers.contestant(setting, PLAIN, recipes, share=1.0, file=setting.images.digits),
        },
        claims=[Claim(f"{hundred}: under 8 s", (ours, WHOLE), [], 8)],
        cases=[Case(hundred, (ours, WHOLE), peers={other: (other, WHOLE)})],
    )


def _train() -> dict[str, float]:
    rates = ",".join(f"{rate:.4g}" for rate in RATES)
    words = ("data=digits", "epochs=1", "model.width=8", f"optimizer.lr={rates}", "seed=0,1")
    return {WHOLE: dlx_runs.train(Command(words, RUNS)).whole}
