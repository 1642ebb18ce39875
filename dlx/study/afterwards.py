"""A checkpoint or a probe that is asked for after a run has ended: the run is trained again, for these files.

It trains into `.study/again/<run>/`, with the runs that it trained with before, so that its numbers stay the
same. Its own folder is left alone until all new files are there; these then take the places of the earlier
ones, the result last. If a number differs, the earlier files are kept in `.study/earlier/<run>/`.
"""

import logging
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

from dlx.config import check_values
from dlx.run.history import NUMBERS, first_difference, read_columns
from dlx.run.identity import DIGITS, identity
from dlx.run.paths import CHECKPOINT, HISTORY, RESULT, sync_folder
from dlx.run.recordings import lacking, with_recordings
from dlx.run.result import Result, read_result, what_was_different
from dlx.study.finished import standing_result
from dlx.study.study import Study
from dlx.study.summary import score

if TYPE_CHECKING:
    from dlx.compose.request import ComposedRun  # imports Hydra


def under_earlier_names(runs: "Sequence[ComposedRun]") -> "list[ComposedRun]":
    """Return the runs, each in the folder that its study has for it already.

    An earlier request may have named it otherwise: by another `slug`, or without the width that is set now.
    """
    studies = [Study(folder) for folder in {run.folder.parent for run in runs}]
    for study in studies:
        study.refuse_links()
    names = {study.folder: _names(study) for study in studies}
    found = []
    for run in runs:
        name = names[run.folder.parent].get(identity(run.config, run.fingerprints)[:DIGITS], run.folder.name)
        found.append(run if name == run.folder.name else replace(run, folder=run.folder.with_name(name)))
    return found


def _names(study: Study) -> dict[str, str]:
    """Return the names of a study's runs by the first digits of their identity."""
    if not study.has_earlier_names:
        return {name[-DIGITS:]: name for name in study.runs}
    # Where `keep` and probes counted, one run may have several folders; the one with a checkpoint is better.
    by_worth = sorted(study.runs.values(), key=lambda run: (study.folder / run.name / CHECKPOINT).is_file())
    return {run.identity[:DIGITS]: run.name for run in by_worth}


def with_what_is_there(run: "ComposedRun") -> "ComposedRun":
    """Return a run that is to be trained so that it also records what it was asked to record before."""
    standing = standing_result(run.folder, run.config, run.fingerprints)
    asked_before = None if standing else Study(run.folder.parent).runs.get(run.folder.name)
    before = standing or asked_before
    if before is None:
        return run
    config = with_recordings(run.config, before.config)
    return run if config == run.config else replace(run, config=config, settings=check_values(config))


def runs_to_extend(runs: "Sequence[ComposedRun]") -> dict[Path, Result]:
    """Return the results, by folder, of runs that have ended without something that is asked for now."""
    found: dict[Path, Result] = {}
    for run in runs:
        if run.settings.rerun:
            continue
        result = standing_result(run.folder, run.config, run.fingerprints)
        if result is not None and lacking(run.config, result):
            found[run.folder] = result
    return found


def notices_of_extended(runs: "Sequence[ComposedRun]", before: Mapping[Path, Result]) -> list[str]:
    """Say which runs are trained again, and for what."""
    wanted = Counter(
        " ".join(lacking(run.config, before[run.folder])) for run in runs if run.folder in before
    )
    return [
        f"{number} run{'s have' if number > 1 else ' has'} ended without {words}: "
        f"trained again, {'each in its' if number > 1 else 'in its'} own folder"
        for words, number in wanted.items()
    ]


def why_not_extended(study: Study, name: str, before: Result) -> str:
    """Say why a run that was trained again keeps its earlier files; "" if it has new ones."""
    try:
        result = read_result(study.again(name))
    except ValueError as error:
        return str(error)
    if result is None:
        return ""
    what = str(result.error) if result.status == "failed" else f"it {result.status}, unlike before"
    return f"trained again for a file, which failed; the result from before ({before.status}) stays: {what}"


def changed_numbers(study: Study, name: str, before: Result, now: Result) -> str:
    """Say by how much the numbers of a run differ that was trained again; "" if they do not."""
    if all(_numbers(one) == _numbers(other) for one, other in zip(_rows(before), _rows(now), strict=True)):
        return ""
    named, last, _ = score(now)
    kept = _last_kept(study, name)
    why = what_was_different(before, now) or "on this device the last bits differ each time"
    return (
        f"trained again, its numbers differ from before: {named} {last} instead of {score(before)[1]} "
        f"({why}); the earlier files are in {kept}"
    )


def put_in_place(study: Study, name: str, log: logging.Logger) -> None:
    """Put the files of a run that was trained again in the places of the earlier ones, if it has ended well.

    If the process is killed on the way, the next call goes on.
    """
    new, folder = study.again(name), study.folder / name
    try:
        result, before = read_result(new), read_result(folder)
    except ValueError as error:
        log.warning("%s", error)
        return
    if result is None or result.status == "failed" or (before and before.status != result.status):
        return
    if (new / HISTORY).is_file() and _differ(folder / HISTORY, new / HISTORY):  # nothing has been moved yet
        log.warning(
            "trained again, its numbers differ; the earlier files are in %s", _keep_earlier(study, name)
        )
    files = [path.relative_to(new) for path in new.rglob("*") if path.is_file()]
    for file in sorted(files, key=lambda file: (str(file) == RESULT, str(file) != HISTORY)):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (new / file).replace(folder / file)
    sync_folder(folder)
    shutil.rmtree(new)
    with suppress(OSError):  # another run's is still there
        new.parent.rmdir()


def _keep_earlier(study: Study, name: str) -> Path:
    torn = study.earlier / f".{name}"
    shutil.rmtree(torn, ignore_errors=True)
    shutil.copytree(study.folder / name, torn)
    kept = study.earlier / f"{name}.{_times_kept(study, name) + 1}"
    torn.rename(kept)
    return kept


def _last_kept(study: Study, name: str) -> Path:
    return study.earlier / f"{name}.{_times_kept(study, name)}"


def _times_kept(study: Study, name: str) -> int:
    return len(list(study.earlier.glob(f"{escape(name)}.*")))


def _differ(before: Path, now: Path) -> bool:
    try:
        return first_difference(read_columns(before), read_columns(now)) is not None
    except (OSError, ValueError):  # the earlier one is gone or damaged
        return True


def _rows(result: Result) -> tuple[dict[str, float | int | None], dict[str, float | int | None]]:
    return result.last, result.best


def _numbers(row: Mapping[str, float | int | None]) -> dict[str, float | int | None]:
    return {name: row.get(name) for name in NUMBERS}
