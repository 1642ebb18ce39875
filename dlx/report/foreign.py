"""Runs of other programs -> the same StudyData as dlx's own runs; what they lack is missing in it.

A run is counted in epochs from 1, as dlx counts; an epoch 0 holds what was measured before training.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.errors import RequestError, nearest
from dlx.importers import names
from dlx.importers.find import read_runs
from dlx.importers.foreign_run import STATUS_KEY, Columns, ForeignRun, read_status
from dlx.report.any_text import any_text
from dlx.report.load import StudyData, columns_of, joined, load_study
from dlx.report.score import Score, choose_score
from dlx.report.text import visible, write_count
from dlx.run.identity import FOLD, REPEAT, comparable, is_seed, requested

if TYPE_CHECKING:
    from dlx.report.reader import History

MOST_EPOCHS = 200_000  # of a run
FOLD_COLUMNS = {"fold": FOLD, "repeat": REPEAT}  # the columns of cross-validation in other programs
NAMED = 8  # settings in a sentence
RESERVED = ("setting", "label", "runs", "completed", "diverged", "failed", "parameters", "collapsed")


@any_text()
def load_foreign(paths: Sequence[Path], asked: Columns) -> StudyData:
    """Load the runs of other programs in files and folders; the frames are empty if there is none.

    Raises RequestError if it is ambiguous what the score is, or which columns are the settings.
    """
    import pandas as pd

    found = read_runs(paths, asked)
    where = visible(" or ".join(map(str, paths)))
    if not found.runs:
        return replace(load_study([]), left_out=found.left_out)
    score = choose_score(found.runs, asked)
    settings, seeded = _settings(found.runs, asked)
    rows, histories, running = {}, {}, {}
    for run in found.runs:
        if run.status == "running":
            running[run.name] = "not finished, according to its files"
            continue
        history = _history(run, score)
        rows[run.name] = _row(run, history, score, settings[run.name])
        if run.counted_in:
            histories[run.name] = history
    metrics = score.columns
    curves = joined(histories)
    curves = curves.reindex(columns=list(dict.fromkeys([*curves.columns, *metrics])))
    better = "higher" if score.higher else "lower"
    read = (
        f"Read {write_count(len(found.runs), 'run')} from {found.format} in {where}. "
        f"Score: {score.shown}, {better} is better. {seeded}"
    )
    return StudyData(
        pd.DataFrame.from_dict(rows, orient="index", columns=list(columns_of(metrics))).rename_axis("run"),
        {name: values for name, values in settings.items() if name in rows},
        curves,
        found.left_out,
        running,
        metrics,
        {metric: score.is_higher(metric) for metric in metrics},
        " ".join([read, *score.notes, *_unread(found.runs)]),
        score.column,
    )


def _unread(runs: Sequence[ForeignRun]) -> list[str]:
    """Say of how many runs a setting could not be read, and why of the first; [] if all could."""
    unread = [run for run in runs if run.unread]
    if not unread:
        return []
    count, first = write_count(len(unread), "run"), unread[0]
    return [
        f"Settings of {count} could not be read. The first is {visible(first.name)}: {visible(first.unread)}."
    ]


def _settings(runs: Sequence[ForeignRun], asked: Columns) -> tuple[dict[str, dict[str, Any]], str]:
    """Return the settings of each run, with its seed under "seed", and a clause about where that is from."""
    keys = [key for key in dict.fromkeys(key for run in runs for key in run.settings) if key != STATUS_KEY]
    _check(asked, keys)
    seeds = list(asked.seed) or [key for key in keys if is_seed(key)]
    own = bool(seeds) and not asked.seed  # the names of dlx's keys
    if not seeds:
        by_leaf = {names.simple(key).rpartition(".")[2]: key for key in reversed(keys)}
        named = names.first_named(names.SEEDS, by_leaf)
        seeds = [by_leaf[named]] if named else []
    kept = set(asked.setting) or {key for key in keys if key not in seeds} - _never_equal(runs, keys, seeds)
    key_of = {key: _free(key) for key in keys if key in kept and key not in seeds}
    seed_of = {key: key if own else "seed" if key == seeds[0] else f"seeds.{key}" for key in seeds}
    seed_of |= _folds(seeds)
    settings = {
        run.name: {
            new: run.settings.get(key) for key, new in (key_of | seed_of).items() if key in run.settings
        }
        for run in runs
    }
    shown = [visible(key) for key in key_of if len({comparable(run.settings.get(key)) for run in runs}) > 1]
    said = f"Settings: {_some(shown)}. " if shown else "No setting differs. "
    shown_seeds = ["seed"] if own and "seed" in seeds else seeds  # the others of dlx follow it
    numbered = "No seed: runs of one setting are numbered."
    said += f"Seed: {_some(map(visible, shown_seeds))}." if seeds else numbered
    if ignored := [visible(key) for key in keys if key not in key_of and key not in seed_of]:
        said += f" Not used: {_some(ignored)}."
    return (settings if seeds else _number_repeats(settings)), said


def _folds(seeds: Sequence[str]) -> dict[str, str]:
    """Return dlx's keys for columns of folds and their repeats, which are not independent as seeds are."""
    leaves = {names.simple(key).rpartition(".")[2]: key for key in seeds}
    return {leaves[leaf]: key for leaf, key in FOLD_COLUMNS.items() if leaf in leaves and "fold" in leaves}


def _some(given: Iterable[str]) -> str:
    every = list(given)
    return ", ".join(every[:NAMED]) + (f" and {len(every) - NAMED} more" if every[NAMED:] else "")


def _check(asked: Columns, keys: Sequence[str]) -> None:
    for option, given in (("--setting", asked.setting), ("--seed", asked.seed)):
        for name in given:
            if name not in keys:
                raise RequestError(
                    f"{option}: no run has a setting '{visible(name)}'{nearest(name, keys)} "
                    f"(there are: {', '.join(visible(key) for key in keys[:20]) or 'none'})"
                )


def _never_equal(runs: Sequence[ForeignRun], keys: Sequence[str], seeds: Sequence[str]) -> set[str]:
    """Return the keys whose text differs in every run, such as a path: each run would be its own setting.

    They stay if nothing else tells the runs apart.
    """
    if len(runs) < 3:
        return set()
    columns = {key: [run.settings.get(key) for run in runs] for key in keys if key not in seeds}
    texts = {
        key
        for key, values in columns.items()
        if all(isinstance(value, str) for value in values) and len(set(values)) == len(values)
    }
    others = [key for key in columns if key not in texts]
    varying = any(len({comparable(value) for value in columns[key]}) > 1 for key in others)
    return texts if varying or (texts and others and seeds) else set()


def _free(key: str) -> str:
    """Return a key that means nothing else in the report: "name" only names a study of dlx."""
    taken = not requested({key: ""}) or key in ("baseline", "monitor", *RESERVED)
    return f"{key} (logged)" if taken and not _of_dlx(key) else key


def _of_dlx(key: str) -> bool:
    return key in ("monitor", "baseline", "keep")


def _number_repeats(settings: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Give the runs of equal settings numbers as seeds, in their order."""
    counts: dict[str, int] = {}
    numbered = {}
    for run, values in settings.items():
        setting = comparable(values)
        numbered[run] = values | {"seed": counts.get(setting, 0)}
        counts[setting] = counts.get(setting, 0) + 1
    return numbered


def _history(run: ForeignRun, score: Score) -> "History":
    """Return the run's metrics by epoch, NaN where missing, with a row for epoch 0."""
    import numpy as np

    series = {column: run.metrics[name] for name, column in score.of_run(run).items()}
    positions = _positions(run, series, score)
    epochs = _epochs(run, positions, series)
    size = max(epochs, default=0) + 1
    history = {name: np.full(size, np.nan) for name in ("step", "time", "lr", *score.columns)}
    for column, values in series.items():
        places = positions if run.counted_in == "step" else sorted(values)
        latest = _latest(values, places) if run.counted_in == "step" else values
        for position, epoch in zip(positions, epochs, strict=True):
            if position in latest:
                history[column][epoch] = latest[position] * score.scales.get(column, 1.0)
    if run.counted_in == "step":
        for position, epoch in zip(positions, epochs, strict=True):
            history["step"][epoch] = position
    return {"epoch": np.arange(size)} | history


def _positions(run: ForeignRun, series: Mapping[str, Mapping[float, float]], score: Score) -> list[float]:
    """Return where the rows of the history are: at each epoch, or at each step at which the score is."""
    if run.counted_in == "step":
        return sorted(series.get(score.column) or max(series.values(), key=len, default={}))
    return sorted({position for values in series.values() for position in values})


def _latest(values: Mapping[float, float], places: Sequence[float]) -> dict[float, float]:
    """Return at each place the last value since the place before."""
    latest: dict[float, float] = {}
    waiting = iter(sorted(values))
    position = next(waiting, math.inf)
    for place in places:
        while position <= place:
            latest[place] = values[position]
            position = next(waiting, math.inf)
    return latest


def _epochs(
    run: ForeignRun, positions: Sequence[float], series: Mapping[str, Mapping[float, float]]
) -> list[int]:
    """Return the epoch of each position: the number that was logged, else 1, 2, ...

    Most programs count from 0, and dlx from 1, because its 0 is before training: no training metric is there.
    """
    logged = list(positions)
    if run.counted_in == "step" and (epoch_of := run.metrics.get("epoch")):
        latest = _latest(epoch_of, positions)
        logged = [latest.get(position, math.nan) for position in positions]
    elif run.counted_in == "step" and not _before_training(series):
        logged = []
    whole = bool(logged) and all(each.is_integer() and 0 <= each < MOST_EPOCHS for each in logged)
    if not whole or len(set(logged)) < len(positions):
        return list(range(1, len(positions) + 1))
    shift = 1 if min(logged) == 0 and not _before_training(series) else 0
    return [int(each) + shift for each in logged]


def _before_training(series: Mapping[str, Mapping[float, float]]) -> bool:
    """Return whether position 0 is before training: only validation was measured there."""
    train = [values for column, values in series.items() if column.startswith("train_")]
    val = [values for column, values in series.items() if column.startswith("val_")]
    return bool(train) and any(0.0 in values for values in val) and not any(0.0 in values for values in train)


def _row(run: ForeignRun, history: "History", score: Score, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's row of StudyData.runs, as `load_study` makes it of a result."""
    last = len(history["epoch"]) - 1
    monitor = settings.get("monitor")
    monitor = monitor if monitor in score.columns else score.column
    best = _best(history[monitor], higher=score.is_higher(monitor) is not False)
    several = bool(run.counted_in)
    final = float(history[score.column][last])
    status = read_status(run.settings.get(STATUS_KEY)) or run.status
    status = status or ("completed" if math.isfinite(final) else _lost(history, score))
    row: dict[str, Any] = {
        "folder": f"{run.source}#{run.name}",  # no folder: nothing else is read of such a run
        "status": "failed" if status == "completed" and not _measured(history, score) else status,
        "error": None,
        "seed": settings.get("seed"),
        "monitor": monitor if several else None,
        "parameters": None,
        "epochs_run": last if several else None,
        "stopped_early": False,
        "seconds": run.seconds,
        "device": None,
        "torch": None,
        "classes": None,
        "layers": None,
        "last_epoch": float(last) if several else math.nan,
        "best_epoch": float(best) if several else math.nan,
    }
    for metric in score.columns:
        row[f"{metric}_last"] = float(history[metric][last])
        row[f"{metric}_best"] = float(history[metric][best]) if several else math.nan
    return row


def _measured(history: "History", score: Score) -> bool:
    return any(math.isfinite(value) for value in history[score.column])


def _lost(history: "History", score: Score) -> str:
    """Return what to call a run without a final score: diverged if it ever had one."""
    return "diverged" if _measured(history, score) else "failed"


def _best(values: Any, *, higher: bool) -> int:
    """Return the first epoch with the best value, as dlx's own runs do; 0 if there is none."""
    import numpy as np

    if not np.isfinite(values).any():
        return len(values) - 1
    return int(np.nanargmax(values if higher else -values))
