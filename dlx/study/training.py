"""Trains what a request asks for: checks its runs, adds them to their studies, has them trained."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx import __version__
from dlx.compose.request import ComposedRun, Request
from dlx.errors import RequestError
from dlx.notebook import console_here
from dlx.own.sources import file_in_project
from dlx.run.documents import shorten
from dlx.run.files import refuse_links, write_size
from dlx.run.identity import CHOSEN, flatten, identity, setting_of
from dlx.run.paths import RESULT
from dlx.run.recordings import lacking
from dlx.run.result import Result, read_result, write_result
from dlx.study.afterwards import (
    changed_numbers,
    notices_of_extended,
    runs_to_extend,
    under_earlier_names,
    why_not_extended,
    with_what_is_there,
)
from dlx.study.finished import finished_result
from dlx.study.launch.workers import check_installed, find_workers
from dlx.study.longer import notices_of_longer
from dlx.study.looks import notice_of_extension
from dlx.study.plan import Plan, Planner, Sketch, Workers, expects_processes, sketch_runs
from dlx.study.progress import Progress
from dlx.study.requests import StudyRun
from dlx.study.stopping import Interrupted
from dlx.study.study import Study
from dlx.study.summary import Outcome, print_outcomes
from dlx.working import working

if TYPE_CHECKING:
    from dlx.study.launch.launcher import Task

NO_LOCKS = "{}: this file system has no locks; train the study from one process at a time"


def train_request(request: Request) -> list[Outcome]:
    """Train the runs of a request that have not ended; return what became of each, in order.

    Nothing is written before every run has been built once. Raises RequestError for what is wrong with one of
    them, OSError where nothing can be written, and Interrupted after a signal.
    """
    launcher = request.launcher
    request = replace(request, runs=under_earlier_names(request.runs))
    count = len(request.runs)
    console = console_here()
    with working("checking the run" if count == 1 else f"checking {count} runs", console=console) as say:
        check_installed(launcher)
        if launcher.name == "local" and expects_processes(request.runs, find_workers(launcher)):
            from dlx.study.launch.pool import warm_up

            warm_up()
        to_train = runs_to_train(request.runs)
        request, extended = _with_what_is_there(request, to_train)
        sketches = sketch_runs(request.runs, to_train)
        say("planning: which runs train together")
        planner = Planner(find_workers(launcher) if sketches else Workers(1), launcher.memory)
        plan, notices = _add_to_studies(request, planner, sketches)
    runs = request.runs
    with Progress([(run.folder, run.label, run.settings.epochs) for run in runs], console) as progress:
        for line in (*notices_of_extended(runs, extended), *_notices_of_weights(request, sketches), *notices):
            progress.print(line)
        outcomes = {
            run.folder: _tell(run, progress, before=True) for i, run in enumerate(runs) if i not in sketches
        }
        outcomes |= _train(plan, request, progress, extended)
    in_order = [outcomes[run.folder] for run in runs]
    if len(runs) > 1:
        print_outcomes(in_order, _studies(runs), console)
    if any(run.settings.data.folds for run in runs):
        _write_out_of_fold(in_order)
    return in_order


def _write_out_of_fold(outcomes: Sequence[Outcome]) -> None:
    """Write the predictions of all folds of each repeat, and say where they are."""
    from dlx.run.out_of_fold import write_out_of_fold

    try:
        files = write_out_of_fold({each.folder: each.result for each in outcomes if each.result is not None})
    except ValueError as error:
        print(f"no out-of-fold predictions: {error}")
        return
    counts = Counter(file.parent.parent for file in files)
    for study, count in counts.items():
        print(f"predictions of all folds: {study}/*/{files[0].name} ({count} file{'s' * (count > 1)})")


def runs_to_train(runs: Sequence[ComposedRun]) -> list[int]:
    """Return the indices of the runs that have not ended, or are to be trained again."""
    return [
        index
        for index, run in enumerate(runs)
        if run.settings.rerun or finished_result(run.folder, run.config, run.fingerprints) is None
    ]


def _with_what_is_there(request: Request, to_train: Sequence[int]) -> tuple[Request, dict[Path, Result]]:
    """Return the request with all that its runs are to record, and the results of those that have ended."""
    extended = runs_to_extend([request.runs[i] for i in to_train])
    runs = list(request.runs)
    for i in to_train:
        if not runs[i].settings.rerun:
            runs[i] = with_what_is_there(runs[i])
    return replace(request, runs=runs), extended


def _notices_of_weights(request: Request, sketches: Mapping[int, Sketch]) -> list[str]:
    """Say how many runs are too large for their weights to be kept by default."""
    from dlx.run.recordings import AUTO

    runs = [each for i, each in sketches.items() if request.runs[i].settings.keep == AUTO]
    if not runs:
        return []
    from dlx.engine.checkpoints import KEPT_BYTES, is_kept_by_default

    large = sum(not is_kept_by_default(sketch.example) for sketch in runs)
    if not large:
        return []
    size, keep = write_size(KEPT_BYTES), "runs keep" if large > 1 else "run keeps"
    return [f"{large} {keep} no checkpoint, which may be larger than {size}; keep=last or keep=best does"]


def _train(
    plan: Plan, request: Request, progress: Progress, extended: Mapping[Path, Result]
) -> dict[Path, Outcome]:
    """Train the planned cohorts; return what became of the request's runs in them, by folder.

    `extended`: the results of runs that have ended, and train again for a file.
    """
    if not plan.cohorts:
        return {}
    from dlx.study.launch.launch import launch  # a finished request needs none of it

    runs = {run.folder: run for run in request.runs}
    outcomes: dict[Path, Outcome] = {}

    def tell(task: "Task", given_up: str) -> None:
        study, cohort = task
        for folder in (study / name for name in cohort.runs if study / name in runs):
            outcomes[folder] = _tell(runs[folder], progress, given_up, extended.get(folder))

    try:
        launch(plan, request.launcher, progress, tell)
    except Interrupted as stopped:
        ended = sum((folder / RESULT).is_file() for folder in runs)
        raise Interrupted(stopped.number, f"{stopped.said}; {_kept(ended, len(runs))}") from None
    return outcomes


def _kept(ended: int, runs: int) -> str:
    if runs == 1:
        return "the same command goes on from the last checkpoint"
    return f"{ended} of {runs} runs have ended; the same command goes on"


def _add_to_studies(
    request: Request, planner: Planner, sketches: dict[int, Sketch]
) -> tuple[Plan, list[str]]:
    """Write the request and its cohorts into the studies of its runs: most often one.

    Returns the plan, and what to say before training.
    """
    notices: list[str] = []
    studies = [Study(folder) for folder in sorted(_studies(request.runs))]
    for run in (request.runs[i] for i in sketches):
        refuse_links(run.folder)
    with ExitStack() as stack:
        for study in studies:  # sorted, so that two requests cannot wait for each other
            if not stack.enter_context(study.locked()):
                notices.append(NO_LOCKS.format(study.folder))
            study.tidy()
        for study in studies:
            asked = [_asked(run) for run in request.runs if run.folder.parent == study.folder]
            notices += notice_of_extension(study, asked)
            to_train = [request.runs[i] for i in sketches if request.runs[i].folder.parent == study.folder]
            if to_train:
                from dlx.study.changes import changes_before_training

                notices += changes_before_training(study, to_train)
            going_on = {run.folder.name for run in to_train}.intersection(study.runs_with_checkpoint())
            if going_on:
                goes = "1 run goes" if len(going_on) == 1 else f"{len(going_on)} runs go"
                notices.append(f"{goes} on from the last checkpoint")
            notices += notices_of_longer(study, to_train)
            targets = sorted({target for run in request.runs for target in run.settings.targets.values()})
            record = partial(_record_source, study.source_folder, targets)
            study.add_request(request.words, __version__, asked, record)
        plan = _add_cohorts(request, planner, sketches, studies)
        notices += plan.notices
        _refuse_foreign_code(request, plan, {study.folder: study for study in studies})
        for run in (request.runs[i] for i in sketches if request.runs[i].settings.rerun):
            if (run.folder / RESULT).is_file():  # an interrupted run goes on instead
                error, same = "it is to be trained again (rerun=true)", identity(run.config, run.fingerprints)
                failed = Result(status="failed", identity=same, config=run.config, error=error)
                write_result(run.folder, failed)
    return plan, notices


def _record_source(folder: Path, targets: Sequence[str]) -> dict[str, Any]:
    from dlx.study.source import record_source

    return record_source(folder, targets)


def _add_cohorts(
    request: Request, planner: Planner, sketches: dict[int, Sketch], studies: Sequence[Study]
) -> Plan:
    """Plan the training, and write its cohorts down; plan anew if one to be split begins meanwhile."""
    while True:
        plan = planner.plan(request.runs, sketches, {study.folder: study.cohorts for study in studies})
        written = [
            study.add_cohorts([cohort for folder, cohort in plan.cohorts if folder == study.folder])
            for study in studies
        ]
        if all(written):
            return plan


def _refuse_foreign_code(request: Request, plan: Plan, studies: Mapping[Path, Study]) -> None:
    """Raise RequestError if a cohort has a run that others asked for and that would run code of theirs."""
    asked = {run.folder: run.config for run in request.runs}
    allowed = {target for run in request.runs for target in run.settings.targets.values()}
    for folder, name in ((folder, name) for folder, cohort in plan.cohorts for name in cohort.runs):
        recorded = studies[folder].runs.get(name)
        if recorded is None:
            raise RequestError(f"{folder}: has a cohort with '{shorten(name)}', which no request asks for")
        if recorded.config == asked.get(folder / name):
            continue
        for key, target in recorded.settings.targets.items():
            if target not in allowed and file_in_project(target, folder) is None:
                raise RequestError(
                    f"{folder / name}: training it along would run {key}={target}, which is neither in "
                    "your request nor in the current project; choose another name="
                )


def _studies(runs: Iterable[ComposedRun]) -> list[Path]:
    return list(dict.fromkeys(run.folder.parent for run in runs))


def _asked(run: ComposedRun) -> StudyRun:
    choices = {group: choice for group, choice in run.choices.items() if group in CHOSEN}
    return StudyRun(run.folder.name, run.label, list(run.words), run.config, run.fingerprints, choices)


def _tell(
    run: ComposedRun,
    progress: Progress,
    given_up: str = "",
    extended: Result | None = None,
    *,
    before: bool = False,
) -> Outcome:
    """Read what became of a run, and show it; `given_up` says why it may have no result.

    `extended`: its result before it was trained again for a file.
    """
    display, result = progress.of(run.folder), read_result(run.folder)
    setting = setting_of(flatten(run.config))
    if result is not None and extended is not None:
        study, name = Study(run.folder.parent), run.folder.name
        if lacking(run.config, result):
            error = why_not_extended(study, name, extended) or given_up
            display.fail(error)
            return Outcome(run.label, run.folder, None, error)
        if said := changed_numbers(study, name, extended, result):
            progress.print(f"{run.label}: {said}" if run.label else said)
    if result is None and not given_up:
        from dlx.study.launch.launcher import gone

        raise gone(run.folder)
    if result is None or result.status == "failed":
        error = given_up if result is None else str(result.error)
        display.fail(error)
        return Outcome(run.label, run.folder, None, error, setting)
    if before:
        display.skip(run.folder, result)
    else:
        display.end(run.folder, result)
    return Outcome(run.label, run.folder, result, None, setting)


def failures(outcomes: Sequence[Outcome]) -> str:
    """Say how many runs did not complete; "" if all did."""
    count = sum(not outcome.succeeded for outcome in outcomes)
    return f"{count} of {len(outcomes)} runs did not complete" if count else ""
