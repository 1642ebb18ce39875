"""Scores runs on a split of their data and records each look."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from dlx.compose.fingerprints import fingerprints_of, look_again, target_of
from dlx.config import Settings
from dlx.errors import RequestError
from dlx.model.own_code import own_sources
from dlx.run.evaluations import Evaluation, append_evaluation, read_evaluations
from dlx.run.paths import HYDRA, find_runs
from dlx.run.result import Result, read_result
from dlx.study.changes import describe_change
from dlx.study.study import Study
from dlx.validation import describe


@dataclass(frozen=True)
class Chosen:
    """A run to score."""

    folder: Path
    result: Result
    chosen_from: int  # how many runs it was picked from, itself included


def choose_runs(folder: Path, *, every: bool) -> list[Chosen]:
    """Return the run in `folder`; of a study, the best completed run, or `every` completed one.

    Runs are compared by their `monitor`, at the epoch whose weights were kept. Raises RequestError if there
    is no such run.
    """
    if not folder.is_dir():
        raise RequestError(f"there is no folder '{folder}'")
    try:
        results = {run: read_result(run) for run in find_runs(folder)}
    except ValueError as error:
        raise RequestError(str(error)) from error
    completed = {run: result for run, result in results.items() if result and result.status == "completed"}
    if not completed:
        raise RequestError(f"{folder}: holds no completed run")
    if every or (folder / HYDRA).is_dir():
        return [Chosen(run, result, 1) for run, result in completed.items()]
    kept = {run: result for run, result in completed.items() if result.checkpoint_sha256}
    if not kept:
        raise RequestError(f"{folder}: no run has a checkpoint; train with keep=best or keep=last")
    if len({result.config["monitor"] for result in kept.values()}) > 1:
        raise RequestError(f"{folder}: its runs have different monitors; name one run, or use --all")
    best = max(kept, key=lambda run: monitored(kept[run], str(kept[run].config["keep"])))
    return [Chosen(best, kept[best], len(kept))]


def score_runs(chosen: Sequence[Chosen], split: str) -> list[Evaluation]:
    """Score each run's checkpoint on `split` and record the looks.

    Raises RequestError if a run has no checkpoint, before any is scored: a recorded look is also shown.
    """
    for run in chosen:
        if run.result.checkpoint_sha256 is None:
            raise RequestError(f"{run.folder}: has no checkpoint; train it with keep=best or keep=last")
    look_again()  # at the user's own files
    return [score_run(run, split) for run in chosen]


def score_run(run: Chosen, split: str) -> Evaluation:
    """Score a run's checkpoint on `split` (test, val, train), record the look and return it."""
    from dlx.build import build  # imports torch
    from dlx.engine.evaluation import evaluate_checkpoint

    try:
        scored = evaluate_checkpoint(build(_settings(run)), run.folder, run.result, split)
    except RequestError as error:
        reason = change_since(run)
        raise RequestError(f"{str(error).rstrip('.')}; {reason}" if reason else str(error)) from error
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


def change_since(run: Chosen) -> str:
    """Say which of the user's own files have changed since a run was trained; "" if none is known to have."""
    before, settings = run.result.fingerprints, _settings(run)
    if not before:
        return ""
    copies, sources = Study(run.folder.parent).source_folder, own_sources(target_of(settings))
    return describe_change(before, fingerprints_of(settings), "this run was trained", copies, sources)


def _settings(run: Chosen) -> Settings:
    try:
        return Settings.model_validate_json(json.dumps(run.result.config))
    except ValidationError as error:
        raise RequestError(f"{run.folder}: cannot be rebuilt: {describe(error)}") from error


def earlier_looks(chosen: Sequence[Chosen], split: str) -> list[Evaluation]:
    """Return every recorded look at `split` in the studies of these runs.

    Any of them may have influenced the choice.
    """
    try:
        looks = [
            look
            for study in dict.fromkeys(run.folder.resolve().parent for run in chosen)
            for run in find_runs(study)
            for look in read_evaluations(run)
        ]
    except ValueError as error:
        raise RequestError(str(error)) from error
    return [look for look in looks if look.split == split]


def monitored(result: Result, epoch: str) -> float:
    """Return what a run monitored at its `best` or `last` epoch; higher is better, -inf is missing."""
    monitor = str(result.config["monitor"])
    value = (result.best if epoch == "best" else result.last).get(monitor)
    if value is None:
        return float("-inf")
    return value if monitor.endswith("accuracy") else -value
