"""dlx: train a grid of networks, compare them, and say how far to trust the comparison."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    from dlx.report.load import Frames

__all__ = ["__version__", "load"]
__version__ = "0.1.0"


def load(*folders: "str | os.PathLike[str]") -> "Frames":
    """Return the runs at or below `folders`, or those of the newest study, as pandas frames.

    >>> import dlx
    >>> study = dlx.load("outputs/mystudy")
    >>> study.swept
    ['optimizer.lr', 'seed']
    >>> study.runs.groupby("optimizer.lr")["val_accuracy_last"].agg(["mean", "count"])
                  mean  count
    optimizer.lr
    0.001         0.75      2
    0.010         0.90      2
    >>> study.histories.query("epoch == 1 and seed == 0")[["optimizer.lr", "val_accuracy"]].to_dict("list")
    {'optimizer.lr': [0.001, 0.01], 'val_accuracy': [0.5, 0.8]}
    >>> study.settings["model.width"].unique().tolist()
    [64]
    >>> study.left_out
    {'crashed': 'history.csv: the last line is cut short'}

    Files and folders of other programs, such as "runs.csv", are read as by `dlx report`.
    `Frames` says what each column is. Raises `dlx.errors.RequestError`, a ValueError, for a folder that is
    not there. Reading needs pandas and no torch; nothing is imported before it is called.
    """
    from pathlib import Path

    from dlx.report.load import load_frames

    return load_frames([Path(folder) for folder in folders])
