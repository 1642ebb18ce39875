"""`dlx evaluate`: the held-out score of chosen runs, recorded so that a second look is visible."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from dlx.arguments import Parser
from dlx.config import Settings
from dlx.errors import RequestError
from dlx.registry import describe
from dlx.run.evaluations import Evaluation, append_evaluation, read_evaluations
from dlx.run.paths import HYDRA, find_runs
from dlx.run.result import Result, read_result
from dlx.stats.intervals import wilson

SPLITS = ("test", "val", "train")

EPILOG = """examples:
  dlx evaluate outputs/mystudy            the study's best run by validation
  dlx evaluate outputs/mystudy --all      every run
  dlx evaluate outputs/mystudy/mlp-...    this run

Runs need a checkpoint: train them with keep=best or keep=last. Every look is a row in
the run's evaluations.csv. Choose on validation, look at the test split once."""


@dataclass(frozen=True)
class Chosen:
    """A run to score, and among how many it was picked."""

    folder: Path
    result: Result
    chosen_from: int


def main(arguments: Sequence[str]) -> int:
    """Run `dlx evaluate` with these arguments and return 0; raises RequestError for what is wrong."""
    given = _parser().parse_args(arguments)
    chosen = [run for folder in given.folders for run in choose(folder, every=given.all)]
    for run in chosen:  # before the first look, which would be recorded and not shown
        if run.result.checkpoint_sha256 is None:
            raise RequestError(f"{run.folder}: has no checkpoint; train it with keep=best or keep=last")
    studies = dict.fromkeys(run.folder.resolve().parent for run in chosen)
    earlier = [look for study in studies for look in _looks(study, given.split)]
    looks = [evaluate(run, given.split) for run in chosen]
    _show(chosen, looks, earlier, given.split)
    return 0


def choose(folder: Path, *, every: bool) -> list[Chosen]:
    """Return the run in `folder`, or a study's best completed one by validation, or `every` one of them.

    Compared are the epochs whose weights were kept, by the runs' own `monitor`. Raises RequestError if
    there is none.
    """
    if not folder.is_dir():
        raise RequestError(f"there is no folder '{folder}'")
    results = {run: _result(run) for run in find_runs(folder)}
    completed = {run: result for run, result in results.items() if result and result.status == "completed"}
    if not completed:
        raise RequestError(f"{folder}: holds no completed run")
    if every or (folder / HYDRA).is_dir():
        return [Chosen(run, result, 1) for run, result in completed.items()]
    kept = {run: result for run, result in completed.items() if result.checkpoint_sha256}
    if not kept:
        raise RequestError(f"{folder}: no run has a checkpoint; train with keep=best or keep=last")
    monitors = {str(result.config["monitor"]) for result in kept.values()}
    if len(monitors) > 1:
        raise RequestError(f"{folder}: its runs have different monitors; name the run, or --all")
    best = max(kept, key=lambda run: _validation(kept[run], *monitors))
    return [Chosen(best, kept[best], len(kept))]


def evaluate(run: Chosen, split: str) -> Evaluation:
    """Score a run's checkpoint on `split` (test, val, train), record the look and return it."""
    from dlx.build import build  # imports torch
    from dlx.engine.evaluation import evaluate_checkpoint

    try:
        settings = Settings.model_validate_json(json.dumps(run.result.config))
    except ValidationError as error:
        raise RequestError(f"{run.folder}: cannot be rebuilt: {describe(error)}") from error
    scored = evaluate_checkpoint(build(settings), run.folder, run.result, split)
    look = Evaluation(
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        split=split,
        samples=scored.samples,
        epoch=scored.epoch,
        loss=scored.loss,
        accuracy=scored.accuracy,
        checkpoint=str(run.result.checkpoint_sha256),
        chosen_from=run.chosen_from,
    )
    append_evaluation(run.folder, look)
    return look


def _result(folder: Path) -> Result | None:
    try:
        return read_result(folder)
    except ValueError as error:
        raise RequestError(str(error)) from error


def _validation(result: Result, monitor: str) -> float:
    row = result.best if result.config["keep"] == "best" else result.last
    value = row.get(monitor)
    if value is None:
        return float("-inf")
    return value if monitor.endswith("accuracy") else -value


def _looks(study: Path, split: str) -> list[Evaluation]:
    """Return the earlier looks at `split` by any run of a study, oldest first: a choice has seen them all."""
    try:
        looks = [look for run in find_runs(study) for look in read_evaluations(run)]
    except ValueError as error:
        raise RequestError(str(error)) from error
    return sorted((look for look in looks if look.split == split), key=lambda look: look.time)


def _show(
    chosen: Sequence[Chosen], looks: Sequence[Evaluation], earlier: Sequence[Evaluation], split: str
) -> None:
    """Print a row a run, how the run was chosen, and how often the split was looked at before."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("\nrun", overflow="fold")
    for heading in (
        "\nepoch",
        "val acc\nrecorded",
        f"{split} acc\nnow",
        "95%\ninterval",
        f"{split} loss\nnow",
        "\nsamples",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for run, look in zip(chosen, looks, strict=True):
        table.add_row(Text(run.folder.name), *map(Text, _cells(run.result, look)))
    console.print(table)
    console.print()
    for run in chosen:
        if run.chosen_from > 1:
            monitor = str(run.result.config["monitor"]).replace("_", " ")
            console.print(Text(f"the best of {run.chosen_from} runs by {monitor}"))
    if earlier:
        times = f"{len(earlier)} time{'s' if len(earlier) > 1 else ''}"
        said = f"this study's {split} split was looked at {times} before, last on {earlier[-1].time};"
        console.print(Text(f"{said} what was decided after a look is no longer tested by it", style="yellow"))
    else:
        console.print(Text(f"the first recorded look at this study's {split} split"))


def _cells(result: Result, look: Evaluation) -> list[str]:
    recorded = next(row for row in (result.best, result.last) if row["epoch"] == look.epoch)
    validation = recorded.get("val_accuracy")
    return [
        str(look.epoch),
        "-" if validation is None else f"{validation:.4f}",
        "-" if look.accuracy is None else f"{look.accuracy:.4f}",
        "-" if look.accuracy is None else interval(look.accuracy, look.samples),
        f"{look.loss:.4f}",
        str(look.samples),
    ]


def interval(accuracy: float, samples: int) -> str:
    """Write the 95% interval of a proportion by Wilson's score (1927): what other samples might have said."""
    found = wilson(round(accuracy * samples), samples)
    return f"{found.low:.4f} to {found.high:.4f}"


def _parser() -> Parser:
    parser = Parser("dlx evaluate", str(__doc__), EPILOG)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="a run, or a study")
    parser.add_argument("--split", choices=SPLITS, default="test", help="what to score on; test if not given")
    parser.add_argument("--all", action="store_true", help="every run of a study, not the best one alone")
    return parser
