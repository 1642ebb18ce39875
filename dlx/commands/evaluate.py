"""`dlx evaluate`: prints held-out scores, and how often the split was looked at before."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlx.commands.parser import Parser, any_path, one_of, target
from dlx.working import working

if TYPE_CHECKING:
    from rich.table import Table

    from dlx.run.evaluations import Evaluation
    from dlx.run.result import Result
    from dlx.scoring import Chosen

EXAMPLES = """
dlx evaluate outputs/mystudy
dlx evaluate outputs/mystudy --all
dlx evaluate outputs/mystudy --split val
dlx evaluate downloaded/study --target torchvision.models:resnet18
"""

NOTES = """
DIR may be a study, whose best run by validation is scored (--all: every run),
or a single run. Runs need a checkpoint, which all but large nets have by
default (keep=auto). Each look is a row in the run's evaluations.csv. Choose by
the validation split, and look at the test split once.
"""


def main(arguments: Sequence[str]) -> int:
    """Run `dlx evaluate` with these arguments and return 0."""
    given = _parser().parse(arguments)
    from dlx.report.text import visible, write_count

    with working("reading the runs"):
        from dlx.scoring import choose_runs, code_to_run, earlier_looks, score_runs  # imports torch

        choices = [choose_runs(folder, every=given.all) for folder in given.folders]
        chosen = [run for choice in choices for run in choice.runs]
    for code, where in code_to_run(chosen, given.target).items():
        print(f"running {visible(code)} ({visible(where)})", flush=True)
    earlier, damaged = earlier_looks(chosen, given.split)
    with working(f"scoring {write_count(len(chosen), 'run')} on the {given.split} split"):
        looks = score_runs(chosen, given.split)
    _show(chosen, looks, earlier, given.split)
    for reason in [*(each for choice in choices for each in choice.left_out.values()), *damaged]:
        print(f"left out: {visible(reason)}")
    return 0


def interval(accuracy: float, samples: int) -> str:
    """Write the 95% interval of an accuracy (Wilson's score, 1927), due to the choice of samples."""
    from dlx.stats.intervals import wilson

    found = wilson(round(accuracy * samples), samples)
    return f"{found.low:.4f} to {found.high:.4f}"


def _parser() -> Parser:
    parser = Parser(
        "dlx evaluate",
        "Score chosen runs on held-out data, and record each look.",
        examples=EXAMPLES,
        notes=NOTES,
        exit_codes="0 done; 2 the request was wrong; 4 storage failed.",
    )
    parser.add_argument("folders", nargs="+", type=any_path, metavar="DIR", help="a run or a study")
    parser.add_argument(
        "--split",
        type=one_of("test", "val", "train"),
        default="test",
        help="split to score on: test, val or train (default: %(default)s)",
    )
    parser.add_argument(
        "--target",
        type=target,
        action="append",
        default=[],
        metavar="MODULE:NAME",
        help="trust this code, which a run names as a target, metric or hook; without, only code of the "
        "current folder is run, and none that lies beside the runs",
    )
    parser.add_argument("--all", action="store_true", help="score every run of a study, not just the best")
    return parser


def _show(
    chosen: "Sequence[Chosen]", looks: "Sequence[Evaluation]", earlier: "Sequence[Evaluation]", split: str
) -> None:
    """Print a row for each run, how it was chosen, and how often the split was looked at before."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from dlx.report.text import write_count
    from dlx.scoring import change_since

    console = Console(highlight=False)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("\nrun", overflow="fold")
    classes = any(look.accuracy is not None for look in looks)
    scores = [f"{split} acc\nnow", "95%\ninterval"] if classes else []
    scores.append(f"{split} loss\nnow")
    for heading in ("\nepoch", f"val {'acc' if classes else 'loss'}\nrecorded", *scores, "\nsamples"):
        table.add_column(heading, justify="right", no_wrap=True)
    for run, look in zip(chosen, looks, strict=True):
        table.add_row(Text(run.folder.name), *map(Text, _cells(run.result, look, classes=classes)))
    console.print(table)
    console.print()
    if any(look.metrics for look in looks):
        console.print(_metrics(chosen, looks, split))
        console.print()
    for run in chosen:
        if run.chosen_from > 1:
            monitor = run.result.monitored.replace("_", " ")
            console.print(Text(f"the best of {run.chosen_from} runs by {monitor}"))
    for run in chosen:
        if said := change_since(run):
            console.print(Text(said if len(chosen) == 1 else f"{run.folder.name}: {said}", style="yellow"))
    if not earlier:
        console.print(Text(f"the first recorded look at this study's {split} split"))
        return
    said = (
        f"this study's {split} split was looked at {write_count(len(earlier), 'time')} before, last on "
        f"{max(look.time for look in earlier)}; it is no longer a fair test of anything decided since the "
        "first look"
    )
    console.print(Text(said, style="yellow"))


def _metrics(chosen: "Sequence[Chosen]", looks: "Sequence[Evaluation]", split: str) -> "Table":
    """Return a table of the runs' metrics=[...]."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from dlx.metrics.catalogue import known
    from dlx.report.text import write_metric

    names = list(dict.fromkeys(name for look in looks for name in look.metrics))
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column(f"{split} split, now\nrun", overflow="fold", vertical="bottom")
    for name in names:
        table.add_column(found.label if (found := known(name)) else name, justify="right", vertical="bottom")
    for run, look in zip(chosen, looks, strict=True):
        values = [look.metrics.get(name) for name in names]
        written = ["-" if v is None else write_metric(name, v) for name, v in zip(names, values, strict=True)]
        table.add_row(Text(run.folder.name), *map(Text, written))
    return table


def _cells(result: "Result", look: "Evaluation", *, classes: bool) -> list[str]:
    rows = (row for row in (result.best, result.last) if row.get("epoch") == look.epoch)
    recorded = next(rows, {}).get("val_accuracy" if classes else "val_loss")
    accuracy = [
        "-" if look.accuracy is None else f"{look.accuracy:.4f}",
        "-" if look.accuracy is None else interval(look.accuracy, look.samples),
    ]
    return [
        str(look.epoch),
        "-" if recorded is None else f"{recorded:.4f}",
        *(accuracy if classes else []),
        f"{look.loss:.4f}",
        str(look.samples),
    ]
