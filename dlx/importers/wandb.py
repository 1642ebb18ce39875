"""Offline runs of Weights & Biases: wandb/offline-run-DATE-ID/run-ID.wandb; needs the extra `wandb`.

A file is a log in LevelDB's format of messages whose types are in the wandb package. Its own reader was
internal and is gone since version 0.31. https://github.com/google/leveldb/blob/main/doc/log_format.md
"""

import json
import math
import struct
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dlx.errors import RequestError
from dlx.importers.foreign_run import ForeignRun, plain_settings
from dlx.run.documents import shorten
from dlx.run.files import MEGABYTE, read_bytes

WANDB_LIMIT = 500 * MEGABYTE
VALUES = 4_000_000
BEGIN = b":W&B"
FIRST = 7  # bytes before the first record: BEGIN, a magic number, a version
BLOCK, HEADER = 32768, struct.Struct("<IHB")  # of a record: checksum, length, kind
FULL, START, MIDDLE, END = 1, 2, 3, 4


def is_wandb_file(name: str) -> bool:
    """Return whether a file has the name of an offline run."""
    return name.startswith("run-") and name.endswith(".wandb")


def read_wandb(path: Path, name: str) -> ForeignRun:
    """Read a run. Raises RequestError without the wandb package, and ValueError for a damaged file."""
    if find_spec("wandb") is None:
        raise RequestError("reading offline runs of W&B needs the package wandb: pip install 'dlx[wandb]'")
    metrics: dict[str, dict[float, float]] = {}
    settings: dict[str, Any] = {}
    unread: list[str] = []
    status, shown, seconds, count = "running", name, math.nan, 0
    for record in _records(path):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            shown = record.run.display_name or shown
            settings |= _items(record.run.config.update, unread)
        elif kind == "config":
            settings |= _items(record.config.update, unread)
        elif kind == "exit":
            status = "completed" if record.exit.exit_code == 0 else "failed"
        elif kind == "history":
            row = _items(record.history.item, unread)
            step = row.get("_step", record.history.step.num)
            seconds = row.get("_runtime", seconds)
            numbers = {key: each for key, each in _numbers(row).items() if not key.startswith("_")}
            for key, each in numbers.items():
                metrics.setdefault(key, {})[float(step)] = each
            count += len(numbers)
            if count > VALUES:
                raise ValueError(f"{path}: more than {VALUES:,} values")
    settings = plain_settings({key: each for key, each in settings.items() if key != "_wandb"})
    counted = any(len(values) > 1 for values in metrics.values())
    said = f"{shorten(', '.join(dict.fromkeys(unread)))}: not valid JSON" if unread else ""
    return ForeignRun(
        shown, path, settings, metrics, "step" if counted else "", status, float(seconds), unread=said
    )


def _items(items: Any, unread: list[str]) -> dict[str, Any]:
    """Return the values of items, each of which is JSON, by key; nested keys are joined by dots.

    Keys whose values are not JSON are added to `unread`.
    """
    values = {}
    for item in items:
        key = item.key or ".".join(item.nested_key)
        try:
            values[key] = json.loads(item.value_json)
        except (ValueError, RecursionError):
            unread.append(key)
    return values


def _numbers(row: dict[str, Any]) -> dict[str, float]:
    """Return the numbers of a history row; W&B writes those that are not finite as text."""
    words = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
    numbers = {}
    for key, value in row.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300:
            numbers[key] = float(value)
        elif isinstance(value, float) or value in words:
            numbers[key] = words.get(value, math.nan) if isinstance(value, str) else value
    return numbers


def _records(path: Path) -> Iterator[Any]:
    """Yield the records of a file; a last one that is cut short is still being written."""
    from google.protobuf.message import DecodeError
    from wandb.proto import wandb_internal_pb2

    content = read_bytes(path, WANDB_LIMIT)
    if not content.startswith(BEGIN):
        raise ValueError(f"{path}: does not begin as an offline run of W&B does")
    for record in _whole(content):
        try:
            yield wandb_internal_pb2.Record.FromString(record)
        except DecodeError as error:
            raise ValueError(f"{path}: damaged ({shorten(error)})") from error


def _whole(content: bytes) -> Iterator[bytes]:
    """Join the fragments of a log in LevelDB's format."""
    position, parts = FIRST, list[bytes]()
    while position + HEADER.size <= len(content):
        left = BLOCK - position % BLOCK
        if left < HEADER.size:  # the end of a block is padded
            position += left
            continue
        _, length, kind = HEADER.unpack_from(content, position)
        position += HEADER.size
        parts = [*([] if kind in (FULL, START) else parts), content[position : position + length]]
        position += length
        if kind in (FULL, END) and position <= len(content):
            yield b"".join(parts)
            parts = []
