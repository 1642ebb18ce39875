"""Reads one metric of a run at one moment of its training."""

import math
from pathlib import Path

from dlx.errors import RequestError, unknown
from dlx.reproduce.claim import Moment
from dlx.run.evaluations import read_evaluations
from dlx.run.history import read_history
from dlx.run.paths import HISTORY
from dlx.run.probes import read_layers
from dlx.run.result import Result
from dlx.scoring import Chosen, score_run

PARAMETERS = "parameters"  # the same at every moment
LAYER_MEAN = "largest_layer_mean"  # largest |mean| of a layer's outputs in training, without the last layer


def read_metric(folder: Path, result: Result, metric: str, at: Moment) -> float:
    """Return `metric` of a completed run at its last epoch, its best, a numbered one, or on the test split.

    Raises RequestError if the run has no such metric, no value of it at that moment, or a damaged table.
    """
    try:
        value = _read(folder, result, metric, at)
    except RequestError:
        raise
    except ValueError as error:
        raise RequestError(f"{error}; rerun=true trains the run again") from error
    if value is None or not math.isfinite(value):
        raise RequestError(f"metric: {folder} has no value of {metric} at {write_moment(at)}")
    return float(value)


def _read(folder: Path, result: Result, metric: str, at: Moment) -> float | None:
    if metric == PARAMETERS:
        return result.parameters
    if metric == LAYER_MEAN:
        return _layer_mean(folder, result, at)
    if at == "test":
        return _known(_test_scores(folder, result), metric)
    if isinstance(at, int):
        return _at_epoch(folder, metric, at)
    return _known(result.last if at == "last" else result.best, metric)


def write_moment(at: Moment) -> str:
    """Write a moment in words."""
    return f"epoch {at}" if isinstance(at, int) else at


def _test_scores(folder: Path, result: Result) -> dict[str, float | None]:
    """Return the loss and accuracy of a run's checkpoint on the test split: as recorded, else scored now."""
    looks = [look for look in read_evaluations(folder) if look.split == "test"]
    look = next((look for look in looks if look.checkpoint == result.checkpoint_sha256), None)
    look = look or score_run(Chosen(folder, result, chosen_from=1), "test")
    return {"test_loss": look.loss, "test_accuracy": look.accuracy}


def _known(values: dict[str, float | None], metric: str) -> float | None:
    if metric not in values:
        raise unknown("metric", metric, [*values, PARAMETERS])
    return values[metric]


def _layer_mean(folder: Path, result: Result, at: Moment) -> float:
    layers = read_layers(folder)
    if layers is None or at == "test":
        raise RequestError(f"metric: {LAYER_MEAN} needs layers.csv; train {folder} with probes.layers=true")
    epoch = at if isinstance(at, int) else (result.last if at == "last" else result.best)["epoch"]
    means = layers.loc[(layers["epoch"] == epoch) & (layers["phase"] == "training"), "mean"]
    return float(means.iloc[:-1].abs().max())


def _at_epoch(folder: Path, metric: str, epoch: int) -> float:
    history = read_history(folder / HISTORY)
    if metric not in history:
        raise unknown("metric", metric, [*map(str, history.columns), PARAMETERS])
    if epoch >= len(history):
        raise RequestError(f"at={epoch}: {folder} ended with epoch {len(history) - 1}")
    return float(history[metric].iloc[epoch])
