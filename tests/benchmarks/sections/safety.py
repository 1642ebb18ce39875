"""What checkpoints cost: the same commands with them, as they are by default, and without any."""

from functools import partial

from tests.benchmarks import dlx_runs
from tests.benchmarks.dlx_runs import Command
from tests.benchmarks.measure import Contestant
from tests.benchmarks.section import WHOLE, Claim, Section, Setting
from tests.benchmarks.suite import SUITE

A2, SHORT = "A2's 8 runs", "500 runs of one epoch"
WITH, WITHOUT = "auto", "none"
PRESET = "fashion_learning_rate"

ABOUT = f"""
`checkpoint.every={WITH}`, the default, beside `checkpoint.every={WITHOUT}`: A2 (`dlx train sweep={PRESET}`,
50 epochs), and `dlx train data=digits epochs=1 model.width=16 seed=range(500)`. Whole commands.
"""


def describe(setting: Setting) -> Section:
    """Return the section."""
    contestants: dict[str, Contestant] = {}
    for every in (WITH, WITHOUT):
        contestants[_name(A2, every)] = partial(_time, _a2(setting), every)
        contestants[_name(SHORT, every)] = partial(_time, _short(setting), every)
    return Section(
        about=ABOUT,
        contestants=contestants,
        claims=[
            Claim(f"{what}: below 3%", (_name(what, WITH), WHOLE), [(_name(what, WITHOUT), WHOLE)], 1.03)
            for what in (A2, SHORT)
        ],
    )


def _name(what: str, every: str) -> str:
    return f"{what}, {every}"


def _a2(setting: Setting) -> Command:
    words = setting.words(f"sweep={PRESET}", "name=a2", epochs=50)
    return Command(words, len(SUITE[PRESET]))


def _short(setting: Setting) -> Command:
    words = ("data=digits", "epochs=1", "model.width=16", "name=short")
    return Command((*words, "seed=range(500)"), 500)


def _time(command: Command, every: str) -> dict[str, float]:
    words = (*command.words, f"checkpoint.every={every}")
    return {WHOLE: dlx_runs.train(Command(words, command.runs, command.files)).whole}
