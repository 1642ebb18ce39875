"""Event files for `tensorboard --logdir`, one a run: its history by epoch, and its settings.

It uses the tensorboard package itself, because torch.utils.tensorboard imports torch.
"""

import io
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from dlx.report.analysis import Analysis
from dlx.report.export.runs import ExportedRun, exported_runs
from dlx.report.text import visible, write_value

EVENTS = "events.out.tfevents.0.dlx"  # always the same name, so that an export replaces an earlier one


def event_files(analysis: Analysis) -> dict[str, bytes]:
    """Return an event file for each run by its path: every column of its history by epoch, and its settings.

    Wall time is the time of training. The settings are those that differ, as its table has no room for all.
    """
    swept = [*analysis.design.keys, *analysis.design.seeds, "monitor"]
    files = {}
    for run in exported_runs(analysis):
        settings = {key: run.settings.get(key) for key in swept if key in run.settings} | run.end
        start, end = _session(run.name, settings, completed=run.status == "completed")
        files[str(_below(run.name) / EVENTS)] = _content([start, *_scalars(run), end])
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


def _scalars(run: ExportedRun) -> Iterator[Any]:
    """Yield one event per epoch, without missing values."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    for epoch, time, values in run.epochs:
        scalars = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        yield Event(wall_time=time, step=epoch, summary=Summary(value=scalars))


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
