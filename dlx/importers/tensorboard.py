"""TensorBoard's event files: scalars by step, and the hyperparameters that its HPARAMS tab shows.

Needs the extra `tensorboard`, whose message types it uses. The records are taken apart here, so that a length
that a file claims is compared with the file before memory is taken for it.
"""

import math
import re
import struct
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dlx.errors import RequestError
from dlx.importers.foreign_run import ForeignRun, read_value
from dlx.importers.keras import settings_beside
from dlx.importers.names import SPLIT_OF
from dlx.importers.run_names import settings_of_name
from dlx.run.documents import shorten
from dlx.run.files import MEGABYTE, open_regular

EVENTS = re.compile(r"(^|\.)out\.tfevents\.|\.tfevents\.|^events\.")
EVENTS_LIMIT = 2_000 * MEGABYTE  # of a file: images and histograms in it are skipped
RECORD_LIMIT = 64 * MEGABYTE
VALUES = 4_000_000  # of a run
HEADER, FOOTER = struct.Struct("<QI"), 4  # the length and its checksum; the checksum of the record
SESSION, SESSION_END = "_hparams_/session_start_info", "_hparams_/session_end_info"
TRIAL = re.compile(r"\d{9,}(\.\d+)?")  # the folder that torch's `add_hparams` makes in a run's folder
FLOATS = {1: "<f", 2: "<d"}  # of a tensor: the format of its content by its type


def is_event_file(name: str) -> bool:
    """Return whether a file has the name of an event file."""
    return ".tfevents." in name


def run_folder(folder: Path, top: Path) -> tuple[Path, str]:
    """Return the folder of the run that an event file's folder belongs to, and the split it holds.

    Keras writes train/ and validation/ in a run's folder, and torch's `add_hparams` one named by the time.
    """
    if folder == top:
        return folder, ""
    if split := SPLIT_OF.get(folder.name.lower(), ""):
        return folder.parent, split
    return (folder.parent if TRIAL.fullmatch(folder.name) else folder), ""


def read_tensorboard(folder: Path, name: str, files: list[tuple[Path, str]]) -> ForeignRun:
    """Read a run from its event files, each with the split that it holds.

    Raises RequestError without the tensorboard package, and ValueError for a damaged file.
    """
    if find_spec("tensorboard") is None:
        raise RequestError(
            "reading event files needs the package tensorboard: pip install 'dlx[tensorboard]'"
        )
    metrics: dict[str, dict[float, float]] = {}
    settings: dict[str, Any] = {}
    status, count = "", 0
    for path, split in sorted(files):
        for event in _events(path):
            for value in event.summary.value:
                if value.tag in (SESSION, SESSION_END):
                    found, ended = _session(value)
                    settings |= found
                    status = ended or status
                elif (number := _scalar(value)) is not None:
                    tag = f"{split}/{value.tag}" if split else value.tag
                    metrics.setdefault(tag, {})[float(event.step)] = number
                    count += 1
            if count > VALUES:
                raise ValueError(f"{path}: more than {VALUES:,} values")
    unread = ""
    if not settings:
        settings, unread = settings_beside(folder)
        settings = settings or settings_of_name(name)
    series = {tag: values for tag, values in metrics.items() if not tag.startswith("hparam/")}
    series = series or metrics
    counted = any(len(values) > 1 for values in series.values())
    return ForeignRun(name, folder, settings, series, "step" if counted else "", status, unread=unread)


def _events(path: Path) -> Iterator[Any]:
    """Yield the events of a file; a last one that is cut short is still being written."""
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto.event_pb2 import Event

    with open_regular(path, EVENTS_LIMIT) as file:
        while len(header := file.read(HEADER.size)) == HEADER.size:
            length, _ = HEADER.unpack(header)
            if length > RECORD_LIMIT:
                raise ValueError(f"{path}: damaged (a record claims {length:,} bytes)")
            record = file.read(length + FOOTER)
            if len(record) < length + FOOTER:
                return
            try:
                yield Event.FromString(record[:length])
            except DecodeError as error:
                raise ValueError(f"{path}: damaged ({shorten(error)})") from error


def _scalar(value: Any) -> float | None:
    """Return the number in a value: as older writers store it, or as a tensor with one element."""
    kind = value.WhichOneof("value")
    if kind == "simple_value":
        return float(value.simple_value)
    if kind != "tensor" or value.metadata.plugin_data.plugin_name not in ("scalars", ""):
        return None
    tensor = value.tensor
    for numbers in (tensor.float_val, tensor.double_val):
        if len(numbers) == 1:
            return float(numbers[0])
    form = FLOATS.get(tensor.dtype)
    if form and len(tensor.tensor_content) == struct.calcsize(form):
        return float(struct.unpack(form, tensor.tensor_content)[0])
    return None


def _session(value: Any) -> tuple[dict[str, Any], str]:
    """Return the hyperparameters in a session's first event, or the status in its last one."""
    from google.protobuf.message import DecodeError
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    try:
        data = HParamsPluginData.FromString(value.metadata.plugin_data.content)
    except DecodeError:
        return {}, ""
    settings: dict[str, Any] = {}
    for key, each in data.session_start_info.hparams.items():
        kind = each.WhichOneof("kind")
        held = getattr(each, kind) if kind else None
        if isinstance(held, float) and held.is_integer() and abs(held) < 1e15:
            held = int(held)  # the format has no integers
        settings[key] = read_value(held) if isinstance(held, str) else held
        if isinstance(settings[key], float) and not math.isfinite(settings[key]):
            settings[key] = str(held)
    if value.tag != SESSION_END:
        return settings, ""
    return settings, {1: "completed", 2: "failed", 3: "running"}.get(data.session_end_info.status, "")
