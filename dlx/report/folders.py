"""Which folders a report is of: those that were named, or the newest study."""

from collections.abc import Sequence
from pathlib import Path

from dlx.errors import RequestError, nearest
from dlx.report.text import visible
from dlx.run.paths import find_runs, newest_study

OUTPUTS = Path("outputs")


def find_folders(given: Sequence[Path]) -> list[Path]:
    """Return the folders given, or the study under outputs/ that was written to last.

    Raises RequestError, with the nearest study, for a folder that is not there.
    """
    if not given:
        newest = newest_study(OUTPUTS)
        if newest is None:
            raise RequestError(
                f"there is no run under {OUTPUTS}/; train one with `dlx train`, or name a folder"
            )
        return [newest]
    for folder in given:
        if not folder.is_dir():
            raise RequestError(f"there is no folder '{visible(str(folder))}'{visible(_hint(folder))}")
    return list(given)


def _hint(folder: Path) -> str:
    """Point at the study that was meant: one beside `folder` or under outputs/ with a similar name."""
    studies = {
        each.name: str(each)
        for parent in (folder.parent, OUTPUTS)
        if parent.is_dir()
        for each in sorted(parent.iterdir())
        if each.is_dir() and find_runs(each)
    }
    hint = nearest(folder.name, studies)
    for name, path in studies.items():
        hint = hint.replace(f"'{name}'", f"'{path}'")
    return hint
