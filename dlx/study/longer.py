"""Longer training of a finished run: `epochs=200` goes on from the last checkpoint of the same run with 100.

That needs the checkpoint of its last epoch, and a schedule whose rates do not depend on the number of epochs.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from dlx.config import Settings
from dlx.run.files import TABLE_LIMIT, read_bytes
from dlx.run.identity import Fingerprints, identity
from dlx.run.paths import HISTORY, write_atomically
from dlx.run.recordings import NONE, recordings
from dlx.run.result import Result, read_result
from dlx.study.requests import StudyRun
from dlx.study.study import Study

HAS_TRAINING = 2  # the format from which on all checkpoints of a last epoch hold the optimizer's state


class Asked(Protocol):
    """A run as it was asked for, by a request or in a study."""

    @property
    def config(self) -> Mapping[str, Any]:
        """Its resolved configuration."""

    @property
    def settings(self) -> Settings:
        """The same, checked."""

    @property
    def fingerprints(self) -> Fingerprints:
        """Those of the user's own code and data."""


@dataclass(frozen=True)
class Shorter:
    """A run that has ended, and differs from a longer one in `epochs` alone.

    `refused`: why the longer one cannot go on from it; "" if it can.
    """

    name: str  # of its folder
    result: Result
    refused: str

    @property
    def epochs(self) -> int:
        """How many it was trained for."""
        return self.result.epochs_run


class ShorterRuns:
    """The runs of a study that longer ones may go on from."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._fewest = min((int(run.config["epochs"]) for run in study.runs.values()), default=0)

    @cached_property
    def _runs(self) -> dict[str, list[StudyRun]]:
        """The study's runs by what they have in common with longer ones."""
        runs: dict[str, list[StudyRun]] = {}
        for run in self._study.runs.values():
            runs.setdefault(_but_for_epochs(run), []).append(run)
        return runs

    def of(self, asked: Asked) -> Shorter | None:
        """Return the longest finished run that is this one with fewer epochs; None if there is none."""
        epochs = asked.settings.epochs
        if epochs <= self._fewest:  # most often, and then nothing needs to be hashed
            return None
        shorter = [run for run in self._runs.get(_but_for_epochs(asked), ()) if run.config["epochs"] < epochs]
        for run in sorted(shorter, key=lambda run: -int(run.config["epochs"])):
            try:
                result = read_result(self._study.folder / run.name)
            except ValueError:  # damaged
                continue
            if result is not None and result.status != "failed":
                refused = _refused(asked.settings, self._study.folder / run.name, result)
                return Shorter(run.name, result, refused)
        return None

    def start(self, asked: Asked) -> int:
        """Return the epoch after which a run goes on: 0 at the beginning."""
        shorter = self.of(asked)
        return shorter.epochs if shorter is not None and not shorter.refused else 0


def continued_state(study: Study, asked: StudyRun, into: Path | None) -> dict[str, Any] | None:
    """Return the state from which `Recorder` goes on with a longer run, whose tables are then in `into`.

    None if there is nothing to go on from. Raises ValueError if what there is cannot be used.
    """
    shorter = ShorterRuns(study).of(asked)
    if shorter is None or shorter.refused:
        return None
    from dlx.run.checkpoint import read_checkpoint
    from dlx.run.probes import TABLES

    source = study.folder / shorter.name
    content = read_checkpoint(source, str(shorter.result.checkpoint_sha256))
    state = content["training"] | {
        "model": content["model"],
        "identity": identity(asked.config, asked.fingerprints),
        "recordings": recordings(asked.config),
    }
    if into is None:
        return dict(state)
    into.mkdir(parents=True, exist_ok=True)
    for name in (HISTORY, *(name for name in state["probes"]["tables"] if name in TABLES)):
        write_atomically(into / name, read_bytes(source / name, TABLE_LIMIT), durable=False)
    return dict(state)


def notices_of_longer(study: Study, runs: Sequence[Asked]) -> list[str]:
    """Say which of the runs that are about to train go on from a shorter one, and why others do not."""
    shorter_runs = ShorterRuns(study)
    said: Counter[str] = Counter()
    for run in runs:
        if (shorter := shorter_runs.of(run)) is None:
            continue
        if shorter.refused:
            said[
                f"trained anew, although the same with epochs={shorter.epochs} has ended: {shorter.refused}"
            ] += 1
        else:
            said[f"continued from epoch {shorter.epochs}, where the same with fewer epochs ended"] += 1
    return [f"{count} run{'s are' if count > 1 else ' is'} {what}" for what, count in said.items()]


def _refused(settings: Settings, folder: Path, result: Result) -> str:
    from dlx.optimizer.schedule import depends_on_length

    if result.status == "diverged":
        return "it diverged"
    if result.stopped_early:
        return "it stopped early"
    if depends_on_length(settings.schedule.name):
        return f"with schedule={settings.schedule.name} each rate depends on the number of epochs"
    kept = result.config.get("keep", NONE)
    if result.checkpoint_sha256 is None or kept == "best":
        return f"keep={kept} does not keep the last epoch's weights; keep=last does"
    if result.format < HAS_TRAINING and not _holds_training(folder, result):
        return "its checkpoint, of an earlier version of dlx, does not hold the optimizer's state"
    if settings.keep == "best":
        return "keep=best may need the weights of an earlier epoch"
    if recordings(result.config)["probes"] != settings.probes.model_dump():
        return "it has other probes"
    return ""


def _holds_training(folder: Path, result: Result) -> bool:
    """Return whether a checkpoint holds what a longer training needs; a damaged one is reported later."""
    from dlx.run.checkpoint import read_checkpoint  # imports torch; such a run is about to be trained

    try:
        return "training" in read_checkpoint(folder, str(result.checkpoint_sha256))
    except (OSError, ValueError):
        return True


def _but_for_epochs(run: Asked) -> str:
    return identity({**run.config, "epochs": 0}, run.fingerprints)
