"""Scores runs on a split of their data and records each look."""

import json
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from dlx.compose.fingerprints import fingerprints_of, look_again, sources_of
from dlx.config import Settings
from dlx.errors import RequestError
from dlx.own.sources import file_in_project
from dlx.run.documents import shorten
from dlx.run.evaluations import Evaluation, append_evaluation, read_evaluations
from dlx.run.identity import flatten, losses_of
from dlx.run.paths import LOCK, find_runs
from dlx.run.recordings import why_no_checkpoint
from dlx.run.result import Result, read_result
from dlx.study.changes import describe_change
from dlx.study.lock import Lock
from dlx.study.study import Study
from dlx.validation import describe

if TYPE_CHECKING:
    from dlx.engine.run import Run


@dataclass(frozen=True)
class Chosen:
    """A run to score."""

    folder: Path
    result: Result
    chosen_from: int  # how many runs it was picked from, itself included

    @cached_property
    def settings(self) -> Settings:
        """The checked configuration. Raises RequestError if the run cannot be rebuilt from it."""
        try:
            return Settings.model_validate_json(json.dumps(self.result.config))
        except ValidationError as error:
            raise RequestError(f"{self.folder}: cannot be rebuilt: {describe(error)}") from error


@dataclass(frozen=True)
class Choice:
    """The runs to score, and by run why others of the study cannot be read."""

    runs: list[Chosen]
    left_out: dict[Path, str]


def choose_runs(folder: Path, *, every: bool) -> Choice:
    """Return the run in `folder`; of a study, the best completed run, or `every` completed one.

    Runs are compared by their `monitor`, at the epoch whose weights were kept. Raises RequestError if there
    is no such run.
    """
    if not folder.is_dir():
        raise RequestError(f"there is no folder '{folder}'")
    runs = find_runs(folder)
    completed, left_out = _completed(runs)
    if not completed:
        first = next(iter(left_out.values()), "")
        raise RequestError(f"{folder}: holds no completed run{first and f'; {first}'}")
    if every or runs == [folder] or runs == [folder.resolve()]:
        return Choice(completed, left_out)
    kept = [run for run in completed if run.result.checkpoint_sha256]
    if not kept:
        raise RequestError(
            f"{folder}: no run has a checkpoint{why_no_checkpoint(completed[0].result.config)}"
        )
    if len({run.result.monitored for run in kept}) > 1:
        raise RequestError(f"{folder}: its runs have different monitors; name one run, or use --all")
    losses = losses_of(flatten(run.result.config) for run in kept)
    if kept[0].result.monitored == "val_loss" and len(losses) > 1:
        raise RequestError(
            f"{folder}: its runs have different losses, whose values cannot be compared; name one run, use "
            "--all, or train with one of metrics=[...] as the monitor"
        )
    best = max(kept, key=lambda run: monitored(run.result, run.settings.keep))
    return Choice([replace(best, chosen_from=len(kept))], left_out)


def _completed(runs: Sequence[Path]) -> tuple[list[Chosen], dict[Path, str]]:
    """Return the completed runs that can be rebuilt, and why others cannot be read."""
    completed, left_out = [], {}
    for folder in runs:
        try:
            if (result := read_result(folder)) and result.status == "completed":
                run = Chosen(folder, result, 1)
                _ = run.settings
                completed.append(run)
        except ValueError as error:
            left_out[folder] = str(error)
        except OSError as error:
            left_out[folder] = f"{folder}: cannot be read: {error.strerror}"
    return completed, left_out


def code_to_run(chosen: Sequence[Chosen], named: Collection[str]) -> dict[str, str]:
    """Return where the code lies that rebuilding these runs executes, by `target`.

    That is code that was `named` by the user, or that lies in the current project. Raises RequestError for
    any other, without importing it: a result may come from somebody else.
    """
    where: dict[str, str] = {}
    targets = [(run, target) for run in chosen for target in run.settings.targets.values()]
    for run, target in targets:
        file = file_in_project(target, run.folder.resolve().parent)
        if file is None and target not in named:
            raise RequestError(
                f"{run.folder}: rebuilding it would run {shorten(target)}, which is not in the current "
                f"project; if you trust that code, add --target {shlex.quote(shorten(target))}"
            )
        where[target] = str(file) if file else "named by --target"
    return where


def score_runs(chosen: Sequence[Chosen], split: str) -> list[Evaluation]:
    """Score each run's checkpoint on `split` and record the looks; the caller has asked `code_to_run`.

    Raises RequestError if a run has no checkpoint, or its record of looks cannot be read, before any is
    scored: a recorded look is also shown.
    """
    for run in chosen:
        if run.result.checkpoint_sha256 is None:
            raise RequestError(f"{run.folder}: has no checkpoint{why_no_checkpoint(run.result.config)}")
        try:
            read_evaluations(run.folder)
        except ValueError as error:
            raise RequestError(
                f"{error}; move it away to evaluate the run, whose looks then start anew"
            ) from error
    look_again()  # at the user's own files
    return [score_run(run, split) for run in chosen]


def score_run(run: Chosen, split: str) -> Evaluation:
    """Score a run's checkpoint on `split` (test, val, train), record the look and return it."""
    from dlx.build import build  # imports torch
    from dlx.engine.evaluation import evaluate_checkpoint

    try:
        scored = evaluate_checkpoint(build(run.settings), run.folder, run.result, split)
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
        metrics=scored.metrics,
        checkpoint=str(run.result.checkpoint_sha256),
        chosen_from=run.chosen_from,
    )
    with Lock(run.folder / LOCK).waited_for():
        append_evaluation(run.folder, look)
    return look


def with_weights(run: Chosen) -> "tuple[Run, int]":
    """Build a run again and load its checkpoint; return it and the epoch of the weights.

    Raises RequestError as `score_run` does.
    """
    from dlx.build import build  # imports torch
    from dlx.engine.evaluation import load_weights

    built = build(run.settings)
    return built, load_weights(built, run.folder, run.result)


def change_since(run: Chosen) -> str:
    """Say which of the user's own files have changed since a run was trained; "" if none is known to have."""
    before, settings = run.result.fingerprints, run.settings
    if not before:
        return ""
    copies, sources = Study(run.folder.parent).source_folder, sources_of(settings)
    return describe_change(before, fingerprints_of(settings), "this run was trained", copies, sources)


def earlier_looks(chosen: Sequence[Chosen], split: str) -> tuple[list[Evaluation], list[str]]:
    """Return every recorded look at `split` in the studies of these runs, and which records are damaged.

    Any look may have influenced the choice.
    """
    looks: list[Evaluation] = []
    damaged: list[str] = []
    for study in dict.fromkeys(run.folder.resolve().parent for run in chosen):
        for folder in find_runs(study):
            try:
                looks += [look for look in read_evaluations(folder) if look.split == split]
            except (ValueError, OSError) as error:
                damaged.append(str(error))
    return looks, damaged


def monitored(result: Result, epoch: str) -> float:
    """Return what a run monitored at its `best` or `last` epoch; higher is better, -inf is missing."""
    value = (result.best if epoch == "best" else result.last).get(result.monitored)
    if value is None:
        return float("-inf")
    return value if result.higher_is_better(result.monitored) else -value
