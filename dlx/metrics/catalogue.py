"""What is known of a metric by its name: what it is called, which values are better, whether it is a share.

Reports and checks of settings need no more than this, so nothing here imports torch.
"""

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from dlx.errors import RequestError, nearest

# What a run learns, which its loss and its labels decide: one of several classes, several yes-or-no labels at
# once, or numbers. A surface f(x, y) is none of them.
Task = Literal["classification", "multi-label", "regression", "none"]

SPLITS = {
    "train_end_": "end-of-epoch training",
    "train_": "training",
    "val_": "validation",
    "test_": "test",
}
TOP = re.compile(r"top([1-9]\d{0,3})")  # top5: top-5 accuracy
OWN = re.compile(r"[^\W\d][\w.]*:([^\W\d]\w*)")  # module:name
TORCHMETRICS = re.compile(r"(?:(torchmetrics(?:\.\w+)*)[.:])?([A-Z]\w*)")  # its classes begin with a capital


@dataclass(frozen=True)
class Facts:
    """What is known of a metric.

    `higher_is_better`: None if only the user knows. `share`: it lies between 0 and 1, so that differences are
    told in points. `tasks`: what it can be computed for.
    """

    label: str
    tasks: tuple[Task, ...] = ("classification", "multi-label", "regression", "none")
    higher_is_better: bool | None = True
    share: bool = True


_CLASSES: tuple[Task, ...] = ("classification",)
_LABELS: tuple[Task, ...] = ("multi-label",)
_NUMBERS: tuple[Task, ...] = ("regression",)

RECORDED = {
    "accuracy": Facts("accuracy", _CLASSES),
    "loss": Facts("loss", higher_is_better=False, share=False),
}
CATALOGUE = {
    "f1_macro": Facts("macro F1", _CLASSES + _LABELS),
    "f1_micro": Facts("micro F1", _CLASSES + _LABELS),
    "precision": Facts("macro precision", _CLASSES + _LABELS),
    "recall": Facts("macro recall", _CLASSES + _LABELS),
    "balanced_accuracy": Facts("balanced accuracy", _CLASSES),
    "auroc": Facts("AUROC", _CLASSES + _LABELS),
    "calibration_error": Facts("calibration error", _CLASSES, higher_is_better=False),
    "exact_match": Facts("exact match", _LABELS),
    "hamming": Facts("Hamming loss", _LABELS, higher_is_better=False),
    "mae": Facts("mean absolute error", _NUMBERS, higher_is_better=False, share=False),
    "rmse": Facts("root mean squared error", _NUMBERS, higher_is_better=False, share=False),
    "r2": Facts("R²", _NUMBERS, share=False),
}


def known(name: str) -> Facts | None:
    """Return what is known of a metric; None if it is none of dlx's."""
    if top := TOP.fullmatch(name):
        return Facts(f"top-{top[1]} accuracy", _CLASSES)
    return RECORDED.get(name) or CATALOGUE.get(name)


@functools.cache
def facts(column: str) -> Facts:
    """Return what is known of a column of a history, such as `val_f1_macro`; its label names the split.

    Nothing is known of any other column but its name.
    """
    for prefix, split in SPLITS.items():
        name = column.removeprefix(prefix)
        if name != column and (found := known(name)):
            return Facts(f"{split} {found.label}", found.tasks, found.higher_is_better, found.share)
        if name != column:
            return Facts(f"{split} {name}", higher_is_better=None, share=False)
    return known(column) or Facts(column, higher_is_better=None, share=False)


def is_share(column: str) -> bool:
    """Return whether a metric lies between 0 and 1: an accuracy, an F1."""
    return facts(column).share


def label_of(column: str) -> str:
    """Return what a column is called in a sentence: "validation accuracy"."""
    return facts(column).label


def sentence_case(label: str) -> str:
    """Return a label with a capital first letter; the rest keeps its own ("macro F1")."""
    return label[:1].upper() + label[1:]


def column_name(metric: str) -> str:
    """Return the name in the history of a metric of `metrics=[...]`: f1_macro, or what follows module:."""
    return re.split("[.:]", metric)[-1]


def is_own(metric: str) -> bool:
    """Return whether a metric of `metrics=[...]` is code of the user's, rather than of dlx or torchmetrics."""
    return ":" in metric and not TORCHMETRICS.fullmatch(metric)


def check_installed(metric: str) -> None:
    """Raise RequestError if torchmetrics, which has this metric, is not installed."""
    if find_spec("torchmetrics") is None:
        raise RequestError(
            f"metrics=[{metric}]: needs torchmetrics, which is not installed: pip install 'dlx[metrics]'"
        )


def check_names(metrics: Iterable[str], registered: Iterable[str]) -> None:
    """Raise RequestError for a metric that does not exist, is named twice, or cannot be a column."""
    registered, seen = {*registered, "top5"}, set[str]()
    for metric in metrics:
        name = column_name(metric)
        if TORCHMETRICS.fullmatch(metric):
            check_installed(metric)
        elif ":" not in metric and metric not in registered and not TOP.fullmatch(name):
            raise RequestError(
                f"metrics=[{metric}]: there is no such metric{nearest(name, registered)} "
                f"(allowed: {', '.join(sorted(registered))}, a class of torchmetrics, or a function of yours as "
                "module:name)"
            )
        if ":" in metric and not OWN.fullmatch(metric):
            raise RequestError(
                f"metrics=[{metric}]: write it as package.module:name, for example scores:kappa"
            )
        if ":" in metric and (known(name) or name.startswith("end_")):
            raise RequestError(f"metrics=[{metric}]: '{name}' is the name of one of dlx's; rename yours")
        if name in seen:
            raise RequestError(
                f"metrics=[{metric}]: two metrics are named '{name}'; leave one out or rename it"
            )
        seen.add(name)


def check_monitor(monitor: str, metrics: Iterable[str]) -> None:
    """Raise RequestError if a run with these metrics does not record what it should be monitored by."""
    recorded = ["val_accuracy", "val_loss", *(f"val_{column_name(metric)}" for metric in metrics)]
    if monitor in recorded:
        return
    name = monitor.removeprefix("val_")
    add = f"; add metrics=[{name}]" if name != monitor and known(name) else nearest(monitor, recorded)
    raise RequestError(f"monitor={monitor}: is not recorded{add} (allowed: {', '.join(recorded)})")
