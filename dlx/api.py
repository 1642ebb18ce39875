"""dlx in Python: train, read, compare and use what was trained, from a notebook or a script."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    import pandas as pd
    from torch import Tensor, nn

    from dlx.results import Results

    Folder = str | os.PathLike[str]

NOT_TEXT = ("true", "false", "null", "nan", "inf")  # unless they are quoted


def train(*words: str, **settings: object) -> "Results":
    """Train a run or a grid, as `dlx train` does, and return the runs of its study.

    Finished runs are not trained again. Runs that fail or diverge are named in a warning.

    Args:
        *words: settings as on the command line, such as "model=mlp,mlp_bn"
        **settings: keys with Python values. Several values (a list, a tuple, a range) make a grid, None is
            null, and a mapping sets keys below its own.

    Returns:
        All runs of the study, also those of earlier requests.

    Raises:
        RequestError: if the request is wrong; nothing has been trained
        OSError: if nothing can be written

    Examples:
        >>> import dlx
        >>> study = dlx.train("model=mlp,mlp_bn", seed=range(3), optimizer={"lr": [0.001, 0.01]}, epochs=20)
        >>> study.report()
    """
    import os
    import warnings

    from dlx.compose.request import compose

    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as commands/train.py says
    request = compose([*words, *as_words(settings)])
    from dlx.study.training import failures, train_request

    if said := failures(train_request(request)):
        warnings.warn(f"dlx.train: {said}", stacklevel=2)
    return load(*dict.fromkeys(run.folder.parent for run in request.runs))


def load(*folders: "Folder") -> "Results":
    """Return the runs at or below `folders`, or those of the newest study, as pandas frames.

    Reading needs no torch.

    Args:
        *folders: studies, runs, or any folders that hold them; also logs and CSV tables of other programs

    Returns:
        The runs; `Results` says what each column is, and what can be computed from them.

    Raises:
        RequestError: if a folder does not exist or holds no runs

    Examples:
        >>> import dlx
        >>> study = dlx.load("outputs/mystudy")
        >>> study.swept
        ['optimizer.lr', 'seed']
        >>> study.runs.groupby("optimizer.lr")["val_accuracy_last"].agg(["mean", "count"])
                      mean  count
        optimizer.lr
        0.001         0.75      2
        0.010         0.90      2
        >>> first = study.histories.query("epoch == 1 and seed == 0")
        >>> first[["optimizer.lr", "val_accuracy"]].to_dict("list")
        {'optimizer.lr': [0.001, 0.01], 'val_accuracy': [0.5, 0.8]}
        >>> study.settings["model.width"].unique().tolist()
        [64]
        >>> study.left_out
        {'crashed': 'history.csv: the last line is cut short'}
    """
    from pathlib import Path

    from dlx.results import read_results

    return read_results([Path(folder) for folder in folders])


def evaluate(
    *folders: "Folder", split: str = "test", every: bool = False, trust: Iterable[str] = ()
) -> "pd.DataFrame":
    """Score the best run of each study, or `every` run, on held-out data, as `dlx evaluate` does.

    The look is recorded in each run's `evaluations.csv`.

    Args:
        *folders: runs or studies
        split: "test", "val" or "train"
        every: score every run, not only the best by validation
        trust: targets ("module:Name") whose code may run although it lies outside the current project

    Returns:
        One row per run, indexed by its name, with the columns `accuracy` (a share from 0 to 1; NaN without
        classes), `loss`, the run's own metrics, `samples`, `epoch` (of the checkpoint), `chosen_from` (how
        many runs), and `looks_before` (at this split of the study).

    Raises:
        RequestError: if a run has no checkpoint, or no longer reaches its recorded validation score
    """
    from pathlib import Path

    import pandas as pd

    from dlx.scoring import choose_runs, code_to_run, earlier_looks, score_runs

    choices = [choose_runs(Path(folder), every=every) for folder in folders]
    chosen = [run for choice in choices for run in choice.runs]
    code_to_run(chosen, list(trust))
    earlier, _ = earlier_looks(chosen, split)
    looks = score_runs(chosen, split)
    rows = [
        {
            "run": run.folder.name,
            "accuracy": look.accuracy,
            "loss": look.loss,
            **look.metrics,
            "samples": look.samples,
            "epoch": look.epoch,
            "chosen_from": run.chosen_from,
            "looks_before": len(earlier),
        }
        for run, look in zip(chosen, looks, strict=True)
    ]
    return pd.DataFrame(rows).set_index("run").astype({"accuracy": float})


class Trained(NamedTuple):
    """A trained network: `model(transform(x))` are the outputs [B, K] for x [B, ...] as it is stored.

    Attributes:
        model: the network, in evaluation mode, on the run's device
        transform: takes samples [B, C, H, W] or [B, F] as the data set stores them, and returns them as the
            network was trained on them: standardised, of the run's dtype, on its device
        classes: what the K outputs stand for; empty if the run predicts numbers
        epoch: the epoch at whose end the weights were kept
    """

    model: "nn.Module"
    transform: "Callable[[Tensor], Tensor]"
    classes: tuple[str, ...]
    epoch: int


def load_model(folder: "Folder", *, trust: Iterable[str] = ()) -> Trained:
    """Return the network of a run with its trained weights, of a study that of the best run.

    Args:
        folder: a run or a study
        trust: as for `evaluate`

    Returns:
        The network, its transform, its classes and the epoch of its weights.

    Raises:
        RequestError: if the run has no checkpoint, or if its validation score with these weights is not the
            recorded one

    Examples:
        >>> net = dlx.load_model("outputs/mystudy")
        >>> net.model(net.transform(images)).argmax(-1)
    """
    from pathlib import Path

    from dlx.scoring import choose_runs, code_to_run, with_weights

    (chosen,) = choose_runs(Path(folder), every=False).runs
    code_to_run([chosen], list(trust))
    run, epoch = with_weights(chosen)
    return Trained(run.model.eval(), run.data.to_inputs, run.data.classes, epoch)


def as_words(settings: Mapping[str, object], prefix: str = "") -> list[str]:
    """Return the words of the command line for these settings.

    >>> as_words({"seed": range(3), "optimizer": {"lr": [0.1, 1e-3]}, "model.sizes": [[64], [64, 32]]})
    ['seed=0,1,2', 'optimizer.lr=0.1,0.001', 'model.sizes=[64],[64,32]']
    """
    words: list[str] = []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            words += as_words(value, f"{prefix}{key}.")
            continue
        several = list(value) if isinstance(value, list | tuple | range) else [value]
        words.append(f"{prefix}{key}={','.join(map(_literal, several))}")
    return words


def _literal(value: object) -> str:
    """Write a value as Hydra reads it."""
    import re

    from dlx.compose.words import literal

    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple | range):
        return f"[{','.join(map(_literal, value))}]"
    if hasattr(value, "item"):  # a number of NumPy's
        value = value.item()
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    plain = re.fullmatch(r"[A-Za-z_][\w./-]*", text) and text.lower() not in NOT_TEXT
    return text if plain else literal(text)
