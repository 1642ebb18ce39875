"""A finished run's checkpoint on a split of its data, after a check that it is still the same net."""

from dataclasses import dataclass
from pathlib import Path

from dlx.engine.loop import evaluate
from dlx.engine.run import Run
from dlx.errors import RequestError
from dlx.run.checkpoint import read_checkpoint
from dlx.run.result import Result

# How far the rebuilt net may be from the validation accuracy that was recorded: other threads, devices
# or versions of torch round differently and may turn an answer or two; other data or code turn many.
SAME_ACCURACY = 0.01


@dataclass(frozen=True)
class Score:
    """The mean loss per sample and the accuracy (a fraction) over a split's samples, in evaluation mode."""

    samples: int
    epoch: int  # after which the checkpoint was written
    loss: float
    accuracy: float | None


def score(run: Run, folder: Path, result: Result, split: str) -> Score:
    """Load the checkpoint in `folder` into `run`, built from its settings, and measure `split` of its data.

    Raises RequestError if there is no checkpoint or no such split, or if the net is not the one that was
    trained: its validation accuracy is computed again and compared with the recorded one.
    """
    data = getattr(run.data, split)
    if len(data) == 0:
        raise RequestError(f"{folder}: its data has no {split} split (data.{split}_size)")
    if result.checkpoint_sha256 is None:
        raise RequestError(f"{folder}: has no checkpoint; train it with keep=best or keep=last")
    try:
        checkpoint = read_checkpoint(folder, result.checkpoint_sha256)
        run.model.load_state_dict(checkpoint["model"])
    except FileNotFoundError as error:
        raise RequestError(f"{error.filename}: is not there any more; rerun=true trains it again") from error
    except (ValueError, RuntimeError) as error:  # damaged; or weights of other names or shapes
        raise RequestError(f"{folder}: {' '.join(str(error).split())}") from error
    epoch = int(checkpoint["epoch"])
    _check_same(run, folder, result, epoch)
    _, loss, accuracy = evaluate(run, data, epoch)
    return Score(len(data), epoch, loss, accuracy)


def _check_same(run: Run, folder: Path, result: Result, epoch: int) -> None:
    recorded = next(row.get("val_accuracy") for row in (result.best, result.last) if row["epoch"] == epoch)
    accuracy = evaluate(run, run.data.val, epoch)[2]
    if recorded is not None and accuracy is not None and abs(accuracy - recorded) > SAME_ACCURACY:
        raise RequestError(
            f"{folder}: rebuilt, its validation accuracy is {accuracy:.4f}, and {recorded:.4f} was recorded; "
            "the data or the model's code has changed since (rerun=true trains it again)"
        )
