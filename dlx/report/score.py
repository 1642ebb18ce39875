"""Which of the metrics that other programs logged is the score, and what each is called in the report."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, count

from dlx.errors import RequestError, nearest
from dlx.importers import names
from dlx.importers.foreign_run import Columns, ForeignRun
from dlx.metrics.catalogue import is_share, label_of, sentence_case
from dlx.report.load import METRICS
from dlx.report.text import visible

SPLIT_ORDER = ("val", "test", "", "train")  # which split a score is taken from, if several have one
MOST_METRICS = 40  # that are kept: each takes a number for every epoch
PERCENT = 1.5  # an accuracy above this is in per cent


@dataclass
class Score:
    """`column`: the score's name in the report; `shown`: its name in the files.

    `column_of`: the name in the report of each logged metric. `columns`: all names there, dlx's own first.
    `scales`: factors for metrics in per cent. `notes`: what a reader should know.
    """

    column: str
    shown: str
    higher: bool
    column_of: dict[str, str]
    columns: tuple[str, ...]
    scales: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def of_run(self, run: ForeignRun) -> dict[str, str]:
        """Return the column of each metric that the run has."""
        return {name: self.column_of[name] for name in run.metrics if name in self.column_of}

    def is_higher(self, column: str) -> bool | None:
        """Return whether higher values of a column are better, None if unknown."""
        return self.higher if column == self.column else names.read_metric_name(column).higher


def choose_score(runs: Sequence[ForeignRun], asked: Columns) -> Score:
    """Choose the metric that ranks the settings: the one asked for, or the only one that can be it.

    Raises RequestError if there is none, if several could be it, or if its name does not say whether higher
    is better.
    """
    logged = list(dict.fromkeys(name for run in runs for name in run.metrics if name != "epoch"))
    column_of = _columns(logged)
    shown = _asked(asked.metric, column_of) if asked.metric else _likeliest(column_of)
    column = column_of[shown]
    higher = names.read_metric_name(shown).higher if asked.higher is None else asked.higher
    if higher is None:
        raise RequestError(
            f"dlx does not know which values of {visible(shown)} are better; write "
            f"--metric {visible(shown)}:higher or --metric {visible(shown)}:lower"
        )
    extras = [each for each in column_of.values() if each not in METRICS]
    columns = (*METRICS, *dict.fromkeys([*([column] if column in extras else []), *extras[:MOST_METRICS]]))
    column_of = {name: each for name, each in column_of.items() if each in columns or each == "lr"}
    score = Score(column, visible(shown), higher, column_of, columns)
    _scale(score, runs)
    return score


def _columns(logged: Iterable[str]) -> dict[str, str]:
    """Name each metric as the report does, in letters that file names may have; equal names get numbers.

    A bare "loss" is of training where a validation loss stands beside it, as in Keras's logs.
    """
    read = {name: names.read_metric_name(name) for name in logged}
    has_val = {each.quantity for each in read.values() if each.split == "val"}
    column_of: dict[str, str] = {}
    for name, each in read.items():
        column = each.column
        if names.simple(name) in names.RATES or names.simple(name).startswith("lr_"):
            column = "lr"
        elif not each.split and each.quantity in has_val:
            column = f"train_{each.quantity}"
        numbers = (f"{column}_{number}" for number in count(2))
        column_of[name] = next(each for each in chain([column], numbers) if each not in column_of.values())
    return column_of


def _asked(metric: str, column_of: dict[str, str]) -> str:
    if metric in column_of:
        return metric
    same = [name for name, column in column_of.items() if metric == column]
    if not same:
        same = [name for name in column_of if names.read_metric_name(name) == names.read_metric_name(metric)]
    if len(same) == 1:
        return same[0]
    raise RequestError(
        f"--metric: no run has a '{visible(metric)}'{nearest(metric, column_of)} "
        f"(there are: {', '.join(map(visible, list(column_of)[:20])) or 'none'})"
    )


def _likeliest(column_of: dict[str, str]) -> str:
    """Return the only metric; else one of validation before training, an accuracy before a loss."""
    known = {name: names.read_metric_name(column) for name, column in column_of.items() if column != "lr"}
    known = {name: each for name, each in known.items() if each.higher is not None}
    having = [name for name in column_of if column_of[name] != "lr"]
    if not known and len(having) == 1:
        return having[0]
    if not known:
        listed = ", ".join(map(visible, having[:20])) or "no column holds numbers"
        raise RequestError(f"name the score with --metric ({listed})")

    def order(name: str) -> tuple[int, int]:
        each = known[name]
        kind = 0 if each.quantity == "accuracy" else 1 if each.higher else 2
        return SPLIT_ORDER.index(each.split), kind

    first = min(map(order, known))
    best = [name for name in known if order(name) == first]
    if len(best) > 1:
        raise RequestError(
            f"any of {', '.join(map(visible, best[:20]))} may be the score; name it with --metric {best[0]}"
        )
    return best[0]


def _scale(score: Score, runs: Sequence[ForeignRun]) -> None:
    """Turn accuracies, and what else is a share, from per cent into fractions.

    Raises RequestError for one that is neither: it would be written wrongly.
    """
    for column in filter(is_share, score.columns):
        values = [
            value
            for run in runs
            for name, each in score.of_run(run).items()
            if each == column
            for value in run.metrics[name].values()
            if math.isfinite(value)
        ]
        low, high = min(values, default=0.0), max(values, default=0.0)
        if low < 0 or high > 100:
            raise RequestError(f"{label_of(column)} runs from {low:g} to {high:g}, which is no share")
        if high > PERCENT:
            score.scales[column] = 0.01
            score.notes.append(
                f"{sentence_case(label_of(column))} is in per cent there, and a fraction here."
            )
