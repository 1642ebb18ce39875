"""What a record keeps of a file: everything but seconds, dates, versions and facts of the machine."""

import csv
import io
import json
import re
from typing import Any

# Keys of JSON files and columns of CSV files. A checkpoint's tensors are recorded, so its file's hash is not.
VOLATILE = re.compile(r"time|seconds.*|time_seconds|written|versions|machine|torch|checkpoint(_sha256)?")
SECONDS = re.compile(r"\d+(\.\d+)? s\b")
DATE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?([+-]\d\d:\d\d|Z)?")
VERSIONS = re.compile(r"dlx \d\S* · torch \S+")
PROGRESS = re.compile(r"\[\d+/\d+\] ")
HEARTBEAT = re.compile(r"\d+ of \d+ runs ended, ")  # every so many seconds


def json_text(text: str) -> str:
    """Return JSON without volatile keys, with sorted keys, one value a line."""
    return json.dumps(_strip(json.loads(text)), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def csv_text(text: str) -> str:
    """Return CSV without volatile columns."""
    rows = list(csv.reader(io.StringIO(text)))
    kept = [index for index, name in enumerate(rows[0]) if not VOLATILE.fullmatch(name)] if rows else []
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(
        [row[index] for index in kept if index < len(row)] for row in rows
    )
    return out.getvalue()


def table_text(text: str) -> str:
    """Return a Markdown or LaTeX table with the cells below a header "seconds" masked."""
    lines, column = [], None
    for line in text.splitlines():
        separator = "&" if line.endswith("\\\\") else "|"
        cells = line.split(separator)
        named = [index for index, cell in enumerate(cells) if cell.strip(" \\").startswith("seconds")]
        if named:
            column = named[0]
        elif column is not None and column < len(cells) and any(char.isdigit() for char in cells[column]):
            cells[column] = " <seconds> " + "\\\\" * cells[column].endswith("\\\\")
        lines.append(_words(separator.join(cells)))
    return "\n".join(lines) + "\n"


def terminal_text(text: str, paths: dict[str, str]) -> str:
    """Return a command's output without seconds; lines of progress come in any order, so they are sorted.

    `paths`: what to write for each path of this machine, the longest first.
    """
    for path, name in paths.items():
        text = text.replace(path, name)
    lines, end = [], None  # end: the column in which the word "seconds" of a table's header ends
    for line in map(str.rstrip, text.splitlines()):
        if HEARTBEAT.match(line):
            continue
        if (header := re.search(r"\bseconds\b", line)) and not any(char.isdigit() for char in line):
            end = header.end()
        end = end if line else None
        cell = re.sub(r"\s+\d+(\.\d+)?$", "  <seconds>", line[:end])
        lines.append(_words(cell + line[end:] if end else line))
    progress = iter(sorted(line for line in lines if PROGRESS.match(line)))
    return "\n".join(next(progress) if PROGRESS.match(line) else line for line in lines) + "\n"


def _words(line: str) -> str:
    return VERSIONS.sub("<versions>", DATE.sub("<date>", SECONDS.sub("<seconds> s", line)))


def _strip(value: Any) -> Any:
    if isinstance(value, list):
        return [_strip(item) for item in value]
    if not isinstance(value, dict):
        return value
    if {"columns", "rows"} <= value.keys():
        kept = [index for index, name in enumerate(value["columns"]) if not VOLATILE.match(name)]
        value = value | {
            "columns": [value["columns"][index] for index in kept],
            "rows": [[row[index] for index in kept] for row in value["rows"]],
        }
    return {key: _strip(item) for key, item in value.items() if not VOLATILE.fullmatch(key)}
