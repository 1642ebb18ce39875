"""The files below a folder, without what differs each time: times, and the lock files that nobody holds."""

import csv
import io
import json
import re
from pathlib import Path

TIMES = ("time", "time_seconds", "since", "written", "seconds")
STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?([+-]\d\d:\d\d| [A-Z]+)?")
IGNORED = (".lock", "/lock", "train.log", "crash.log")


def contents(folder: Path) -> dict[str, object]:
    """Return what each file below `folder` holds, by its path."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): _content(path)
        for path in files
        if not str(path).endswith(IGNORED)
    }


def _content(path: Path) -> object:
    content = path.read_bytes()
    if "tfevents" in path.name:
        return len(content)  # it holds times
    try:
        if path.suffix == ".csv":
            return _without_times(content.decode())
        if path.suffix == ".json":
            return _masked(json.loads(content))
        if path.suffix in (".html", ".md", ".txt", ".yaml"):
            return STAMP.sub("TIME", content.decode())
    except ValueError as error:
        return error
    return content


def _without_times(text: str) -> object:
    rows = list(csv.DictReader(io.StringIO(text)))
    whole = text.endswith("\n")
    return whole, [{key: value for key, value in row.items() if key not in TIMES} for row in rows]


def _masked(value: object) -> object:
    if isinstance(value, dict):
        return {key: _masked(each) for key, each in value.items() if key not in TIMES}
    return [_masked(each) for each in value] if isinstance(value, list) else value
