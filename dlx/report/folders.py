"""Which folders a report is about."""

from collections.abc import Sequence
from pathlib import Path

from dlx.errors import RequestError, nearest
from dlx.report.text import visible
from dlx.run.paths import REPORT, find_runs, newest_study

OUTPUTS = Path("outputs")


def find_folders(given: Sequence[Path]) -> list[Path]:
    """Return the given folders and files, or the study under outputs/ that was written to last.

    Raises RequestError for one that does not exist, and suggests the study with the nearest name.
    """
    if not given:
        newest = newest_study(OUTPUTS)
        if newest is None:
            raise RequestError(
                f"there is no run under {OUTPUTS}/; train one with `dlx train`, or name a folder"
            )
        return [newest]
    for folder in given:
        if not folder.exists():
            what = "file" if folder.suffix else "folder"
            raise RequestError(f"there is no {what} '{visible(str(folder))}'{visible(_hint(folder))}")
    return list(given)


def default_output(place: Path) -> Path:
    """Return where a report goes by default: into the study's folder, or beside a file of another program."""
    return place / REPORT if place.is_dir() else place.with_name(f"{place.stem}-{REPORT}")


def _hint(folder: Path) -> str:
    """Suggest a study with a similar name beside `folder` or under outputs/."""
    studies = {
        each.name: str(each)
        for parent in (folder.parent, OUTPUTS)
        if parent.is_dir()
        for each in sorted(parent.iterdir())
        if each.is_dir() and find_runs(each)
    }
    if folder.suffix and folder.parent.is_dir():
        studies |= {each.name: str(each) for each in folder.parent.iterdir() if each.suffix == folder.suffix}
    hint = nearest(folder.name, studies)
    for name, path in studies.items():
        hint = hint.replace(f"'{name}'", f"'{path}'")
    return hint
