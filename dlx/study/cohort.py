"""Trains the runs of one cohort in this process: builds them, trains them as one, leaves their files."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dlx.compose.fingerprints import fingerprints_of, look_again
from dlx.errors import RequestError, is_storage_error, list_words
from dlx.run.history import EpochRow
from dlx.run.identity import changed_files, identity
from dlx.run.paths import HYDRA, LOG
from dlx.run.result import Result, write_result
from dlx.study.progress import RunDisplay
from dlx.study.study import Cohort, Study, StudyRun

if TYPE_CHECKING:
    from dlx.engine.trainer import Recorder


def train_cohort(
    study: Study,
    cohort: Cohort,
    displays: Mapping[str, RunDisplay] | None = None,
    stop: Callable[[], BaseException | None] = lambda: None,
) -> None:
    """Train the runs of a cohort that have not ended; each leaves a result, even if it fails.

    The caller holds the cohort. `displays`: by run, where this process shows its progress. Raises OSError
    where nothing can be written.
    """
    with ExitStack() as stack:
        recorders: list[Recorder] = []
        for name in cohort.runs:
            run, display = study.runs[name], displays.get(name) if displays else None
            result = study.result(name)
            if result is None:
                recorders += _prepared(study, run, cohort.threads, display, stack, stop)
            elif display is not None:
                display.skip(study.folder / name, result)
        _train(recorders)


def _prepared(
    study: Study,
    run: StudyRun,
    threads: int | None,
    display: RunDisplay | None,
    stack: ExitStack,
    stop: Callable[[], BaseException | None],
) -> "list[Recorder]":
    """Return the recorder of a run that is ready to train, or none if it cannot be built."""
    from dlx.build import build  # imports torch
    from dlx.engine.trainer import Recorder

    folder = study.folder / run.name
    write_composition(folder, run)
    log = stack.enter_context(_log(folder))
    try:
        _check_version(run)
        built = build(run.settings, threads)
    except Exception as error:  # noqa: BLE001 - a user's module may raise any; it is in the run's result
        write_failure(folder, run, error, log)
        return []
    if display is not None:
        display.start(built, run.settings, folder)
    on_epoch = display.epoch if display is not None else _unseen

    def then(row: EpochRow) -> None:
        on_epoch(row)
        if (error := stop()) is not None:
            raise error

    return [Recorder(built, run.settings, run.config, folder, then, log, run.fingerprints)]


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


def _train(recorders: "list[Recorder]") -> None:
    if not recorders:
        return
    from dlx.engine.trainer import execute, execute_together

    try:
        if len(recorders) > 1:
            execute_together(recorders)
        else:
            execute(recorders[0])
    except Exception as error:
        if is_storage_error(error):
            raise
        # Any other error is in the results of the runs that it ended.


def write_composition(folder: Path, run: StudyRun) -> None:
    """Write what was asked for where Hydra writes it: .hydra/config.yaml and .hydra/overrides.yaml."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # ten times as fast, where libyaml is there
    hydra = folder / HYDRA
    hydra.mkdir(parents=True, exist_ok=True)
    for name, content in (("config.yaml", run.config), ("overrides.yaml", run.words)):
        with (hydra / name).open("w", encoding="utf-8") as file:
            yaml.dump(content, file, dumper, sort_keys=False, allow_unicode=True)


def write_failure(folder: Path, run: StudyRun, error: Exception, log: logging.Logger) -> None:
    """Leave the result of a run that failed before it trained, unless nothing can be written."""
    if is_storage_error(error):
        raise error
    log.error("the run failed", exc_info=error)
    line = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    write_result(
        folder,
        Result(
            status="failed",
            identity=identity(run.config, run.fingerprints),
            fingerprints=run.fingerprints or None,
            config=run.config,
            error=line,
        ),
    )


def _unseen(_: EpochRow) -> None:
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
        with self._path.open("a", encoding="utf-8") as file:
            file.write(self.format(record) + "\n")
