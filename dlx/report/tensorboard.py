"""Histories and settings as event files for `tensorboard --logdir`; needs the extra `tensorboard`.

It uses the tensorboard package itself, because torch.utils.tensorboard imports torch.
"""

import io
import math
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from dlx.errors import RequestError
from dlx.report.analysis import Analysis
from dlx.report.text import visible, write_value
from dlx.run.paths import HISTORY

if TYPE_CHECKING:
    import pandas as pd

EVENTS = "events.out.tfevents.0.dlx"  # always the same name, so that an export replaces an earlier one
NO_SCALARS = ("run", "epoch", "time")  # TensorBoard has these as axes


def check_installed() -> None:
    """Raise RequestError if the tensorboard package is not installed."""
    if find_spec("tensorboard") is None:
        raise RequestError("--tensorboard needs the package tensorboard: pip install 'dlx[tensorboard]'")


def event_files(analysis: Analysis) -> dict[str, bytes]:
    """Return an event file for each run by its path: every column of its history by epoch, and its settings.

    Wall time is the time of training.
    """
    data = analysis.data
    swept = [*analysis.design.keys, *analysis.design.seeds]
    histories = {str(run): history for run, history in data.histories.groupby("run", sort=False)}
    files = {}
    for run, row in zip(data.runs.index, data.runs.to_dict(orient="records"), strict=True):
        settings = {key: data.settings[run].get(key) for key in swept}
        start, end = _session(run, settings, completed=row["status"] == "completed")
        scalars = _scalars(histories[run], Path(row["folder"])) if run in histories else []
        files[str(_below(run) / EVENTS)] = _content([start, *scalars, end])
    return files


def _below(run: str) -> PurePosixPath:
    """Return a run's folder below the export; no name can leave it."""
    return PurePosixPath(*(part for part in PurePosixPath(visible(run)).parts if part not in ("/", "..")))


def _content(events: list[Any]) -> bytes:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    content = io.BytesIO()
    writer = RecordWriter(content)
    for event in [Event(file_version="brain.Event:2"), *events]:
        writer.write(event.SerializeToString())
    return content.getvalue()


def _scalars(history: "pd.DataFrame", folder: Path) -> Iterator[Any]:
    """Yield one event per epoch, without missing values."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    names = [str(name) for name in history.columns if name not in NO_SCALARS]
    began = (folder / HISTORY).stat().st_mtime - float(history["time"].iloc[-1])
    for epoch, time, values in zip(
        history["epoch"].tolist(), history["time"].tolist(), history[names].to_numpy().tolist(), strict=True
    ):
        present = {name: value for name, value in zip(names, values, strict=True) if not math.isnan(value)}
        scalars = [Summary.Value(tag=name, simple_value=value) for name, value in present.items()]
        yield Event(wall_time=began + time, step=epoch, summary=Summary(value=scalars))


def _session(run: str, settings: dict[str, Any], *, completed: bool) -> tuple[Any, Any]:
    """Return the events that start and end a run in the table of hyperparameters."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb

    values = {
        visible(key): value if isinstance(value, bool | int | float) else write_value(value)
        for key, value in settings.items()
    }
    status = api_pb2.STATUS_SUCCESS if completed else api_pb2.STATUS_FAILURE
    ended = HParamsPluginData(session_end_info=SessionEndInfo(status=status))
    end = Summary.Value(  # the function for it in hparams.summary imports TensorFlow
        tag=metadata.SESSION_END_INFO_TAG,
        metadata=metadata.create_summary_metadata(ended),
        tensor=metadata.NULL_TENSOR,
    )
    start = hparams_pb(values, trial_id=visible(run))
    return Event(summary=start), Event(summary=Summary(value=[end]))
