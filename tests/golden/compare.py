"""Tells two records apart: numbers, which must not change, from words, which may.

A number is any value in a CSV or JSON file, and any file, column or key that is gone. Words are sentences
(three words or more) in those files, every other text, and what is new.
"""

import csv
import difflib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")
SENTENCE = 3  # words


@dataclass(frozen=True)
class Difference:
    """One difference between two records, in one file."""

    file: str
    text: str
    is_number: bool

    def __str__(self) -> str:
        return f"{'NUMBER' if self.is_number else 'words '}  {self.file}: {self.text}"


def compare(before: Path, after: Path) -> list[Difference]:
    """Return every difference between two records in the requests that both hold, file by file."""
    both = {path.name for path in before.iterdir()} & {path.name for path in after.iterdir()}
    old, new = (_texts(record, both) for record in (before, after))
    differences = [Difference(file, "is gone", is_number=True) for file in old if file not in new]
    differences += [Difference(file, "is new", is_number=False) for file in new if file not in old]
    for file in sorted(old.keys() & new.keys()):
        if old[file] != new[file]:
            differences += compare_texts(file, old[file], new[file])
    return differences


def compare_texts(file: str, old: str, new: str) -> Iterator[Difference]:
    """Yield the differences between two versions of one file."""
    if file.endswith(".csv"):
        old_value, new_value = columns(old), columns(new)
    elif file.endswith(".json"):
        old_value, new_value = json.loads(old), json.loads(new)
    else:
        yield from (Difference(file, text, is_number=False) for text in _hunks(old, new))
        return
    for place, text, is_number in _values(old_value, new_value):
        yield Difference(file, f"{place or 'all'}: {text}", is_number=is_number)


def summary(differences: list[Difference]) -> str:
    """Return the last line of a comparison."""
    numbers = sum(difference.is_number for difference in differences)
    return f"{numbers} numbers differ, {len(differences) - numbers} words differ"


def _texts(record: Path, names: set[str]) -> dict[str, str]:
    """Return the text of every file of a record that lies in one of `names`, or is one."""
    files = sorted(path for path in record.rglob("*") if path.is_file())
    texts = {str(path.relative_to(record)): path for path in files}
    return {name: path.read_text() for name, path in texts.items() if name.split("/")[0] in names}


def columns(text: str) -> dict[str, list[str]]:
    header, *rows = csv.reader(io.StringIO(text))
    return {name: [row[index] for row in rows] for index, name in enumerate(header)}


def _values(old: Any, new: Any, place: str = "") -> Iterator[tuple[str, str, bool]]:
    """Yield where two values differ, how, and whether that is a number's difference."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            where = f"{place}.{key}".lstrip(".")
            if key not in new:
                yield where, "is gone", True
            elif key not in old:
                yield where, "is new", False
            else:
                yield from _values(old[key], new[key], where)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _values(one, other, f"{place}[{index}]")
    elif isinstance(old, list) and isinstance(new, list):
        yield place, f"{len(old)} values before, {len(new)} after", True
    elif old != new or type(old) is not type(new):
        yield from _leaves(old, new, place)


def _leaves(old: Any, new: Any, place: str) -> Iterator[tuple[str, str, bool]]:
    texts = [value for value in (old, new) if isinstance(value, str)]
    if len(texts) == 2 and all(text.startswith(("{", "[")) for text in texts):  # JSON in a CSV's cell
        try:
            yield from _values(json.loads(old), json.loads(new), place)
        except ValueError:
            yield place, f"{old} -> {new}", True
    elif len(texts) == 2 and all(len(text.split()) >= SENTENCE for text in texts):
        yield place, _sentences(old, new), False
    else:
        yield place, f"{old!r} -> {new!r}{_relative(old, new)}", True


def _relative(old: Any, new: Any) -> str:
    """Return how far apart two numbers are, to tell a rounding error from another result."""
    try:
        one, other = float(old), float(new)
    except (TypeError, ValueError):
        return ""
    largest = max(abs(one), abs(other))
    return f" (relative difference {abs(one - other) / largest:.1e})" if largest else ""


def _hunks(old: str, new: str) -> Iterator[str]:
    """Yield the places where two texts differ, each as the lines before and after."""
    before, after = old.splitlines(), new.splitlines()
    for tag, start, stop, new_start, new_stop in difflib.SequenceMatcher(
        None, before, after, autojunk=False
    ).get_opcodes():
        if tag != "equal":
            one, other = "\n".join(before[start:stop]), "\n".join(after[new_start:new_stop])
            yield f"line {start + 1}: {_sentences(one, other)}"


def _sentences(old: str, new: str) -> str:
    """Return two versions of a text below each other; say so if they do not hold the same numbers."""
    one, other = (NUMBER.findall(text) for text in (old, new))
    note = (
        ""
        if one == other
        else f"\n    numbers in it: {' '.join(one) or 'none'} -> {' '.join(other) or 'none'}"
    )
    lines = [f"\n    - {line}" for line in old.splitlines()] + [
        f"\n    + {line}" for line in new.splitlines()
    ]
    return f"{''.join(lines)}{note}"
