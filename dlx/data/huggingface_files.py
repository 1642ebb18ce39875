"""Finds the files of a data set as Hugging Face's `datasets` saves it, or as the Hub holds it.

It imports neither torch nor pyarrow, because a finished run is recognised without them.
"""

import json
from pathlib import Path
from typing import Any

from dlx.data.array_names import PARTS
from dlx.data.source import wrong_file

STATE, SPLITS = "state.json", "dataset_dict.json"  # of datasets.save_to_disk
PARQUET = ".parquet"


def is_saved_dataset(folder: Path) -> bool:
    """Return whether a folder holds a data set of `save_to_disk`, or the Parquet files of one of the Hub."""
    if not folder.is_dir():
        return False
    saved = folder.joinpath(STATE).exists() or folder.joinpath(SPLITS).exists()
    return saved or bool(_parquet_files(folder))


def find_parts(folder: Path) -> dict[str, list[Path]]:
    """Return the files of each part in order: `train`, and `val` and `test` if there are.

    Raises RequestError if there is no such data set, or several in one folder.
    """
    if folder.is_file() and folder.suffix == PARQUET:
        return {"train": [folder]}
    if not folder.is_dir():
        raise wrong_file(folder, "is not a folder; give one of save_to_disk, or of the Hub's Parquet files")
    if folder.joinpath(SPLITS).exists():
        names = _read(folder / SPLITS).get("splits", [])
        files = {str(name): _saved_files(folder / str(name)) for name in names}
    elif folder.joinpath(STATE).exists():
        files = {"train": _saved_files(folder)}
    else:
        files = _files_by_split(folder)
    parts = {part: files[name] for part in PARTS for name in files if _part(name) == part}
    if "train" not in parts:
        held = f"only {', '.join(files)}" if files else "no data set"
        raise wrong_file(folder, f"holds {held}; expected what save_to_disk writes, or train-*.parquet")
    return parts


def _saved_files(folder: Path) -> list[Path]:
    files = _read(folder / STATE).get("_data_files")
    names = [Path(str(each["filename"])).name for each in files] if isinstance(files, list) else []
    if not names:
        raise wrong_file(folder / STATE, "names no data files")
    return [folder / name for name in names]


def _files_by_split(folder: Path) -> dict[str, list[Path]]:
    """Return the Parquet files of the Hub by split: data/train-00000-of-00002.parquet or train/0.parquet."""
    found: dict[str, list[Path]] = {}
    places = set()
    for file in _parquet_files(folder):
        by_name, by_folder = file.stem.partition("-")[0], file.parent.name
        split = by_name if _part(by_name) or not _part(by_folder) else by_folder
        places.add(file.parent if split == by_name else file.parent.parent)
        found.setdefault(split if _part(split) else "train", []).append(file)
    if len(places) > 1:
        names = ", ".join(sorted(place.relative_to(folder).as_posix() for place in places))
        raise wrong_file(folder, f"holds several data sets ({names}); name one with data.path")
    return found


def _parquet_files(folder: Path) -> list[Path]:
    """Return the Parquet files at most two folders below, as the Hub has them."""
    return sorted(file for depth in ("", "*/", "*/*/") for file in folder.glob(f"{depth}*{PARQUET}"))


def _part(name: str) -> str | None:
    return next((part for part, names in PARTS.items() if name in names), None)


def _read(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise wrong_file(file, f"cannot be read: {error}") from error
    return document if isinstance(document, dict) else {}
