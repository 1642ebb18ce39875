"""Cross-validation, where every fold is a run: the keys that make a run a fold, and what folds share.

The training sets of two folds overlap, so their scores are not independent. `Folding.overlap` is what a test
must add for that.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dlx.errors import RequestError
from dlx.run.identity import FOLD, FOLDS, REPEAT, REPEATS, SPLIT, comparable

PARTITION = (FOLDS, SPLIT, REPEAT)  # decide how the samples are divided


@dataclass(frozen=True)
class Folding:
    """How the samples are divided into `folds`, which may differ between settings, and how often."""

    folds: tuple[int, ...]
    repeats: int

    @property
    def overlap(self) -> float:
        """Return the validation samples of a fold over its training samples, the largest if they differ."""
        return 1 / (min(self.folds) - 1)

    @property
    def total(self) -> int:
        """Return the number of folds of all repeats; 0 if settings differ in it."""
        return self.folds[0] * self.repeats if len(self.folds) == 1 else 0

    def __str__(self) -> str:
        """Return "5-fold", after "2 times" if it was repeated."""
        times = f"{self.repeats} times " if self.repeats > 1 else ""
        return f"{times}{'- or '.join(map(str, self.folds))}-fold"


def find_folding(configs: Iterable[Mapping[str, Any]]) -> Folding | None:
    """Return how the runs among flat configurations that are folds were divided; None if no run is a fold."""
    of_folds = [values for values in configs if values.get(FOLD) is not None]
    if not of_folds:
        return None
    seen = len({comparable(values[FOLD]) for values in of_folds})  # a table's runs do not say how many
    folds = {int(values.get(FOLDS) or seen) for values in of_folds}
    repeats = {comparable([values.get(SPLIT), values.get(REPEAT)]) for values in of_folds}
    return Folding(tuple(sorted(max(2, count) for count in folds)), len(repeats))


def unit_of_fold(values: Mapping[str, Any]) -> str | None:
    """Return a text that is equal for runs on the same fold; None for a run that is not a fold."""
    if values.get(FOLD) is None:
        return None
    return comparable([values.get(key) for key in (*PARTITION, FOLD)])


def folds_to_run(data: Mapping[str, Any]) -> list[dict[str, int]]:
    """Return the repeat and the fold of each run that a data set's settings ask for; [] without folds."""
    if data.get("folds") is None:
        return []
    one_repeat, one_fold = data.get("repeat"), data.get("fold")
    repeats = range(1, data.get("repeats", 1) + 1) if one_repeat is None else [one_repeat]
    folds = range(1, data["folds"] + 1) if one_fold is None else [one_fold]
    return [{"repeat": repeat, "fold": fold} for repeat in repeats for fold in folds]


def check_folds(data: Any) -> None:
    """Raise RequestError if the settings of a data set, a `DataSettings`, ask for folds that cannot be."""
    folds, repeats = data.folds, data.repeats
    named = {REPEATS: repeats if repeats > 1 else None, FOLD: data.fold, REPEAT: data.repeat}
    for key, value in named.items():
        if folds is None and value is not None:
            raise RequestError(f"{key}={value}: needs folds, such as {FOLDS}=5")
    if folds is None:
        return
    for key, value, most in ((FOLD, data.fold, folds), (REPEAT, data.repeat, repeats)):
        if value is not None and value > most:
            limit = FOLDS if key == FOLD else REPEATS
            raise RequestError(f"{key}={value}: must be from 1 to {most} ({limit}={most})")
    if data.name == "surface":
        raise RequestError(f"{FOLDS}={folds}: a surface has no samples to divide")
    if data.val_from == "test":
        raise RequestError(
            f"{FOLDS}={folds}: does not go with data.val_from=test, because each fold is the validation "
            "split of a run; leave out one of them"
        )
    if repeats > 1 and data.split_seed is None:
        raise RequestError(
            f"{REPEATS}={repeats}: without a seed every repeat has the same folds; set {SPLIT}=0"
        )
