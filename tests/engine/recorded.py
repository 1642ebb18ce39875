"""Recorders of small runs, and how they are trained."""

import json
import logging
import math
from types import SimpleNamespace

from dlx.engine import loop
from dlx.engine.recorder import Recorder

CONFIG = {"seed": 3, "monitor": "val_accuracy", "keep": "none"}
LOG = logging.getLogger("tests.recorder")


def settings(keep="none", patience=0, min_delta=0.0, monitor="val_accuracy"):
    stopping = SimpleNamespace(patience=patience, min_delta=min_delta)
    return SimpleNamespace(keep=keep, early_stopping=stopping, monitor=monitor)


def record(run, folder, *, keep="none", config=None, **changes):
    """A recorder of the run in `folder`, and the rows that it shows."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = []
    chosen = {key: changes.pop(key) for key in ("patience", "min_delta", "monitor") if key in changes}
    made = Recorder(
        run,
        settings(keep, **chosen),
        (config or CONFIG) | {"keep": keep},
        folder,
        lambda row, extra: shown.append((row.epoch, dict(extra))),
        LOG,
        **changes,
    )
    return made, shown


def train(made, epochs=math.inf):
    """Train until the recorder says stop, or after so many epochs."""
    for end in loop.train(made.run, made.start):
        made.epoch(end)
        if made.stop or end.row.epoch >= epochs:
            break
    return made


def result_in(folder):
    return json.loads((folder / "result.json").read_text())
