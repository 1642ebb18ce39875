"""Trains the runs of one cohort in this process: builds them, trains them as one, leaves their files."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.compose.fingerprints import fingerprints_of, look_again
from dlx.errors import RequestError, describe_failure, is_storage_error, list_words
from dlx.run.checkpoint import CohortCheckpoint
from dlx.run.files import make_folder, open_to_append
from dlx.run.history import EpochRow
from dlx.run.identity import changed_files, identity
from dlx.run.paths import HYDRA, LOG, RESULT, is_gone, write_atomically
from dlx.run.result import Result, write_result
from dlx.study.afterwards import put_in_place
from dlx.study.longer import continued_state
from dlx.study.progress import RunDisplay
from dlx.study.requests import StudyRun
from dlx.study.stopping import interruption
from dlx.study.study import FOLDER, Cohort, Study

if TYPE_CHECKING:
    from dlx.engine.recorder import Recorder
    from dlx.engine.run import Run
    from dlx.engine.trainer import Engine


def train_cohort(
    study: Study,
    cohort: Cohort,
    displays: Mapping[str, RunDisplay] | None = None,
    stop: Callable[[], BaseException | None] = interruption,
) -> None:
    """Train the runs of a cohort that have not ended; each leaves a result, even if it fails.

    They go on from the cohort's checkpoint, if there is one. A run's last bits depend on what it trains with,
    so those that ended after the checkpoint are trained along, and all of them if there is none. Runs that
    failed, or are to be trained again (rerun=true), train apart from the others. Those that have ended
    without something that is asked for now train beside their folders (see afterwards.py).

    The caller holds the cohort. `displays`: by run, where this process shows its progress. `stop` returns the
    exception with which to leave training, after a checkpoint, or None. Raises OSError where nothing can be
    written.
    """
    checkpoint = CohortCheckpoint(study.checkpoint(cohort))
    with ExitStack() as stack:
        members: list[_Member] = []
        failed: list[_Member] = []
        for name in cohort.runs:
            run, folder = study.runs[name], study.folder / name
            display, log = displays.get(name) if displays else None, stack.enter_context(_log(folder))
            put_in_place(study, name, log)
            ended, extended = study.result(name), study.result_to_extend(name) is not None
            if ended is not None and display is not None:
                display.skip(folder, ended)
            part = members if ended or extended or not (folder / RESULT).is_file() else failed
            into = make_folder(study.folder, FOLDER, "again", name) if extended else folder
            part.append(_Member(run, into, ended, display, log))
        for part in (members, failed):
            if any(member.ended is None for member in part):
                _train(study, part, cohort.threads, checkpoint, stop)
            for member in part:
                put_in_place(study, member.asked.name, member.log)
            checkpoint.delete()


@dataclass(frozen=True, eq=False)
class _Member:
    """A run of the cohort that trains into `folder`.

    `ended` is its result, if it has one from an earlier attempt.
    """

    asked: StudyRun
    folder: Path
    ended: Result | None
    display: RunDisplay | None
    log: logging.Logger

    def build(self, threads: int | None, like: "Run | None" = None) -> "Run | None":
        """Build the run, after one `like` it; if that fails, leave that as its result and return None."""
        from dlx.build import build  # imports torch

        try:
            if self.ended is None:
                write_composition(self.folder, self.asked)
            _check_version(self.asked)
            return build(self.asked.settings, threads, like)
        except Exception as error:  # noqa: BLE001 - a user's module may raise any; it is in the run's result
            if self.ended is None:
                write_failure(self.folder, self.asked, error, self.log)
            return None

    def recorder(self, run: "Run", state: Mapping[str, Any] | None) -> "Recorder":
        """Return what records the run, from the beginning or from its `state` in a checkpoint."""
        from dlx.engine.recorder import Recorder

        on_epoch = self.display.epoch if self.display is not None and self.ended is None else _unseen
        asked, log = self.asked, self.log
        recorder = Recorder(
            run,
            asked.settings,
            asked.config,
            self.folder,
            on_epoch,
            log,
            asked.fingerprints,
            state=state,
            ended=self.ended,
            choices=asked.choices,
        )
        if self.display is not None and self.ended is None:
            self.display.start(run, asked.settings, self.folder)
        return recorder


def _train(
    study: Study,
    members: Sequence[_Member],
    threads: int | None,
    checkpoint: CohortCheckpoint,
    stop: Callable[[], BaseException | None],
) -> None:
    from dlx.engine.checkpoints import Checkpoints
    from dlx.engine.trainer import Engine, execute

    engine: Engine
    resumed = _resume(members, threads, checkpoint)
    if resumed is not None:
        engine, recorders = resumed
    else:
        states = _states_of_shorter(study, members)
        built: list[tuple[_Member, Run]] = []
        for member in members:
            if (run := member.build(threads, built[0][1] if built else None)) is not None:
                built.append((member, run))
        recorders = [member.recorder(run, states.get(member.folder.name)) for member, run in built]
        engine = "stacked" if len(recorders) > 1 else "loop"
    every = members[0].asked.settings.checkpoint.every
    try:
        if recorders:
            execute(recorders, engine, Checkpoints(checkpoint, every, len(members), stop))
    except Exception as error:
        if is_storage_error(error) or is_gone(error, members[0].folder.parent):
            raise
        # Any other error is in the results of the runs that it ended.


def _states_of_shorter(study: Study, members: Sequence[_Member]) -> Mapping[str, Mapping[str, Any]]:
    """Return by run the states to go on from, if all members have shorter runs of one length; else none."""
    try:
        states = {
            member.folder.name: continued_state(
                study, member.asked, member.folder if member.ended is None else None
            )
            for member in members
        }
    except ValueError as error:
        for member in members:
            member.log.warning("trained anew: %s", error)
        return {}
    found = {name: state for name, state in states.items() if state is not None}
    epochs = {state["position"]["epoch"] for state in found.values()}
    return found if len(found) == len(members) and len(epochs) == 1 else {}


def _resume(
    members: Sequence[_Member], threads: int | None, checkpoint: CohortCheckpoint
) -> "tuple[Engine, list[Recorder]] | None":
    """Return the engine and the recorders to go on with, from the newest checkpoint that fits; else None."""
    damaged: list[str] = []
    for content in checkpoint.read(damaged):
        states = content["runs"]
        going_on = [member for member in members if member.folder.name in states]
        built = [(member, run) for member in going_on if (run := member.build(threads)) is not None]
        try:
            recorders = [member.recorder(run, states[member.folder.name]) for member, run in built]
        except (ValueError, KeyError, TypeError, RuntimeError) as error:  # edited since, or of other code
            damaged.append(f"the checkpoint after epoch {content['epoch']} does not fit: {error}")
            continue
        return content["engine"], recorders
    for member in members:
        for sentence in damaged:
            member.log.warning("%s", sentence)
    return None


def _check_version(run: StudyRun) -> None:
    """Raise RequestError if the user's own code or data is not what it was when the run was asked for.

    A process that has imported that version goes on with it, however the files are edited meanwhile.
    """
    if not run.fingerprints:  # it reads nothing of the user's own, or an older dlx asked for it
        return
    if changed_files(run.fingerprints, fingerprints_of(run.settings)):
        look_again()  # this process may have trained another request's runs
    if names := changed_files(run.fingerprints, fingerprints_of(run.settings)):
        have = "have" if len(names) > 1 else "has"
        raise RequestError(
            f"{list_words(names)} {have} changed since this run was asked for; give the command again"
        )


def write_composition(folder: Path, run: StudyRun) -> None:
    """Write what was asked for where Hydra writes it: .hydra/config.yaml and .hydra/overrides.yaml."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # ten times as fast, where libyaml is there
    hydra = make_folder(folder.parent, folder.name, HYDRA)
    for name, content in (("config.yaml", run.config), ("overrides.yaml", run.words)):
        text: str = yaml.dump(content, None, dumper, sort_keys=False, allow_unicode=True)
        write_atomically(hydra / name, text.encode(), durable=False)


def write_failure(folder: Path, run: StudyRun, error: Exception, log: logging.Logger) -> None:
    """Leave the result of a run that failed before it trained, unless nothing can be written."""
    if is_storage_error(error) or is_gone(error, folder.parent):
        raise error
    log.error("the run failed", exc_info=error)
    write_result(
        folder,
        Result(
            status="failed",
            identity=identity(run.config, run.fingerprints),
            fingerprints=run.fingerprints or None,
            config=run.config,
            choices=run.choices,
            error=describe_failure(error),
        ),
    )


def _unseen(_: EpochRow, __: Mapping[str, float | None]) -> None:
    """Show an epoch's end to nobody: whoever is interested reads the history."""


@contextmanager
def _log(folder: Path) -> Iterator[logging.Logger]:
    """Give a logger for one run's train.log."""
    logger = logging.getLogger(f"dlx.run.{folder.name}")
    logger.propagate = False
    handler = _LogFile(folder / LOG)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield logger
    finally:
        logger.removeHandler(handler)


class _LogFile(logging.Handler):
    """Opens the file for each line: a cohort of 2,000 runs would hold more files open than a process may."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def emit(self, record: logging.LogRecord) -> None:
        """Append a line."""
        with open_to_append(self._path) as file:
            file.write(f"{self.format(record)}\n".encode(errors="backslashreplace"))
