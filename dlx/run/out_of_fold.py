"""out_of_fold.csv: the predictions of all folds of one repeat, one row per sample.

Each sample is predicted by the run that did not train on it. The file is in the folder of
the first fold's run.
Axes: N samples of a fold, K outputs.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlx.run.identity import FOLD, FOLDS, comparable, flatten, requested
from dlx.run.paths import RESULT, write_atomically
from dlx.run.predictions import Predictions, read_predictions, read_rows
from dlx.run.result import Result

OUT_OF_FOLD = "out_of_fold.csv"
Numbers = NDArray[np.floating]


def write_out_of_fold(results: Mapping[Path, Result]) -> list[Path]:
    """Write the file of each repeat whose folds are all among these runs, given by folder, and completed.

    A file that is newer than its runs is left as it is. Returns the files of all whole repeats. Raises
    ValueError for damaged predictions, and OSError where nothing can be written.
    """
    files = []
    for runs in _whole_repeats(results):
        file = runs[0] / OUT_OF_FOLD
        newest = max((folder / RESULT).stat().st_mtime_ns for folder in runs)
        if not file.is_file() or file.stat().st_mtime_ns < newest:
            write_atomically(file, _table([(folder, results[folder]) for folder in runs]).encode())
        files.append(file)
    return files


def _whole_repeats(results: Mapping[Path, Result]) -> Iterator[list[Path]]:
    """Yield the runs of each repeat, by fold: those that are equal in all else, seeds included."""
    groups: dict[tuple[Path, str], dict[int, Path]] = {}
    for folder, result in results.items():
        config = flatten(result.config)
        if config.get(FOLD) is not None and result.status == "completed":
            others = {key: value for key, value in requested(config).items() if key != FOLD}
            groups.setdefault((folder.parent, comparable(others)), {})[config[FOLD]] = folder
    for runs in groups.values():
        folds = flatten(results[next(iter(runs.values()))].config)[FOLDS]
        if len(runs) == folds:
            yield [runs[fold] for fold in sorted(runs)]


def _table(runs: Sequence[tuple[Path, Result]]) -> str:
    rows: list[tuple[Any, ...]] = []
    for folder, result in runs:
        predictions, rows_N = read_predictions(folder), read_rows(folder)
        if predictions is None or rows_N is None:
            raise ValueError(f"{folder}: its predictions are gone; rerun=true trains the run again")
        fold = flatten(result.config)[FOLD]
        columns = _columns(predictions, result)
        values = zip(*columns.values(), strict=True)
        rows += [(int(row), fold, *each) for row, each in zip(rows_N, values, strict=True)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["index", "fold", *columns])
    writer.writerows(sorted(rows, key=lambda row: row[0]))
    return text.getvalue()


def _columns(predictions: Predictions, result: Result) -> dict[str, Iterable[Any]]:
    """Return the columns of the last epoch's outputs: labels, predictions, probabilities or scores."""
    outputs_NK, labels = predictions.last_outputs.astype(np.float64), predictions.labels
    names = [str(name) for name in result.data.get("classes") or ()]
    loss = flatten(result.config).get("loss.name")
    if labels.dtype.kind != "f":
        return _of_classes(outputs_NK, labels, names, loss)
    labels_NK = labels.reshape(len(labels), -1)
    if loss == "binary_cross_entropy":
        columns = {"label": labels_NK.astype(int), "prediction": (outputs_NK > 0).astype(int)}
        columns["probability"] = _sigmoid(outputs_NK)
    else:
        columns = {"label": labels_NK, "prediction": outputs_NK}
    if outputs_NK.shape[1] == 1:
        return {name: _written(values_NK[:, 0]) for name, values_NK in columns.items()}
    names = names or [str(number) for number in range(1, outputs_NK.shape[1] + 1)]
    return {
        f"{name}_{of}": _written(values_NK[:, k])
        for name, values_NK in columns.items()
        for k, of in enumerate(names)
    }


def _of_classes(
    outputs_NK: Numbers, labels_N: NDArray[Any], names: Sequence[str], loss: str | None
) -> dict[str, Iterable[Any]]:
    single = outputs_NK.shape[1] == 1  # two classes, told apart by the sign
    predicted_N = (outputs_NK[:, 0] > 0).astype(int) if single else outputs_NK.argmax(axis=1)
    kind, values_NK = "score", outputs_NK
    if loss == "cross_entropy":
        kind, values_NK = "probability", _softmax(outputs_NK)
    elif loss == "binary_cross_entropy":
        positive_NK = _sigmoid(outputs_NK)
        kind, values_NK = "probability", np.hstack([1 - positive_NK, positive_NK]) if single else positive_NK
    of = names[-values_NK.shape[1] :] or [str(k) for k in range(values_NK.shape[1])]
    return {
        "label": [names[label] if names else label for label in labels_N],
        "prediction": [names[predicted] if names else predicted for predicted in predicted_N],
        **{f"{kind}_{name}": _written(values_NK[:, k]) for k, name in enumerate(of)},
    }


def _written(values_N: NDArray[Any]) -> list[str]:
    """Write numbers with nine digits, which tell every float32 apart."""
    return [f"{value:.9g}" for value in values_N]


def _softmax(outputs_NK: Numbers) -> Numbers:
    powers_NK = np.exp(outputs_NK - outputs_NK.max(axis=1, keepdims=True))
    return powers_NK / powers_NK.sum(axis=1, keepdims=True)


def _sigmoid(outputs_NK: Numbers) -> Numbers:
    from scipy.special import expit

    return np.asarray(expit(outputs_NK))
