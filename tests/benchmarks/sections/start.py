"""The first command of the day, and others that are mostly start-up."""

import shutil
from functools import cached_property
from pathlib import Path

from dlx.run.paths import REPORT as REPORT_FOLDER
from tests.benchmarks.dlx_runs import call
from tests.benchmarks.measure import Contestant
from tests.benchmarks.section import WHOLE, Case, Claim, Quantity, Section, Setting, Worst

TORCH = 'python -c "import torch"'
FIRST = "dlx train data=digits epochs=1"
AGAIN = "the same again, which is finished"
REPORT, STATUS = "dlx report, 20 runs", "dlx status, 20 runs"
REPORT_AGAIN = "the same report again"
WRONG = {
    "a misspelt verb": ("trian",),
    "a misspelt group": ("train", "optimzer=adam"),
    "a misspelt key": ("train", "optimizer.lrr=0.1"),
    "a misspelt choice of a group": ("train", "optimizer=adm"),
    "a misspelt choice of a key": ("train", "model.norm=bacth"),
    "a word for a number": ("train", "epochs=many"),
    "a number out of its range": ("train", "batch_size=0"),
    "a word of a wrong type, in a grid": ("train", "seed=range(100)", "optimizer.lr=0.1,high"),
}
ROUNDS = 5  # for each round of the sections that take minutes

ABOUT = """
Whole commands, as a shell starts them, with compiled files. The report and the status are of 20 runs of 20
epochs; a report that is made again reuses its charts. Each wrong word ends with exit code 2 and a line that
says what is allowed.
"""


def describe(setting: Setting) -> Section:
    """Return the section."""
    commands = Commands(setting.images.file.parent)
    contestants: dict[str, Contestant] = {
        TORCH: lambda: commands.python("-c", "import torch"),
        FIRST: commands.first,
        AGAIN: commands.again,
        **{name: _wrong(commands, words) for name, words in WRONG.items()},
        STATUS: lambda: commands.of_study("status"),
        REPORT: commands.first_report,
        REPORT_AGAIN: lambda: commands.of_study("report"),
    }
    wrong = {name: Claim("", (name, WHOLE), [], 1) for name in WRONG}
    return Section(
        about=ABOUT,
        contestants=contestants,
        claims=[
            Claim("the first command: at most 1.5 times `import torch`", _wall(FIRST), [_wall(TORCH)], 1.5),
            Claim("a finished request: under 0.7 s", _wall(AGAIN), [], 0.7),
            Worst("a wrong word: under 1 s", wrong),
            Claim("the report of 20 runs: under 3 s", _wall(REPORT), [], 3),
            Claim("the same report again: under 3 s", _wall(REPORT_AGAIN), [], 3),
        ],
        cases=[
            Case("first command: one epoch of digits", _wall(FIRST), limit=_wall(TORCH)),
            *(Case(name, _wall(name)) for name in (AGAIN, "a misspelt choice of a key", REPORT)),
        ],
        rounds=ROUNDS,
    )


class Commands:
    """The commands, in a folder that they share: what is to be there already is made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def python(self, *words: str, code: int = 0) -> dict[str, float]:
        """Run Python with these words."""
        return {WHOLE: call(words, self.folder, code=code)}

    def first(self) -> dict[str, float]:
        """Train one run of one epoch that is not there yet."""
        shutil.rmtree(self.folder / "first", ignore_errors=True)
        return self.python("-m", "dlx", "train", "data=digits", "epochs=1", "output_root=first")

    def again(self) -> dict[str, float]:
        """Ask for a run that is there."""
        words = ("-m", "dlx", "train", "data=digits", "epochs=1", "output_root=again")
        if not (self.folder / "again").exists():
            self.python(*words)
        return self.python(*words)

    def of_study(self, verb: str) -> dict[str, float]:
        """Run a verb that reads a study of 20 runs."""
        return self.python("-m", "dlx", verb, str(self.study))

    def first_report(self) -> dict[str, float]:
        """Report a study that has no report yet."""
        shutil.rmtree(self.study / REPORT_FOLDER, ignore_errors=True)
        return self.of_study("report")

    @cached_property
    def study(self) -> Path:
        """Four settings with five seeds each."""
        words = ("data=digits", "epochs=20", "model=mlp,mlp_bn", "optimizer.lr=0.01,0.001", "seed=range(5)")
        self.python("-m", "dlx", "train", *words, "name=twenty", "output_root=outputs")
        return self.folder / "outputs" / "twenty"


def _wrong(commands: Commands, words: tuple[str, ...]) -> Contestant:
    return lambda: commands.python("-m", "dlx", *words, code=2)


def _wall(name: str) -> Quantity:
    return name, WHOLE
