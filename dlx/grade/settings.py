"""Which settings of a run count for an assignment, and in which of them a student's run differs."""

from collections.abc import Mapping, Sequence

from dlx.grade.work import HandedInRun
from dlx.report.text import visible, write_value
from dlx.run.identity import CHOICE, LOCATION_KEYS, comparable, is_seed, requested

NOT_COMPARED = (*LOCATION_KEYS, "code", "data.files", "run.name")  # places, and marks that dlx adds itself


def setting_of_work(run: HandedInRun) -> str:
    """Return a text that is equal for runs of one setting."""
    return comparable(_compared(run, ()))


def _compared(run: HandedInRun, free: Sequence[str]) -> dict[str, object]:
    """Return the settings that count, without seeds, places, and keys that students choose."""
    return {
        key: value
        for key, value in requested(run.settings).items()
        if not is_seed(key) and key not in NOT_COMPARED and not key.startswith(CHOICE)
        if not any(key == each or key.startswith(f"{each}.") for each in free)
    }


def differences(asked: HandedInRun, run: HandedInRun, free: Sequence[str]) -> list[str]:
    """Say in which settings a run differs from the assignment; those of other programs name only some.

    Of a group whose class differs, such as the loss, the keys that only one class has are not named.
    """
    theirs, ours = (_compared(each, free) for each in (run, asked))
    both_dlx = run.result is not None and asked.result is not None
    shared = [key for key in ours if key in theirs]
    apart = [key for key in shared if comparable({key: theirs[key]}) != comparable({key: ours[key]})]
    if both_dlx:
        other_class = tuple(key.removesuffix("name") for key in apart if key.endswith(".name"))
        lone = [key for key in {**ours, **theirs} if key not in shared]
        apart += [key for key in lone if not key.startswith(other_class)]
    said = [f"{visible(key)} is {_write(theirs, key)}, not {_write(ours, key)}" for key in apart]
    if both_dlx and not said and _data(run) != _data(asked):
        said = ["the data have other contents than the assignment's"]
    return said


def _write(values: Mapping[str, object], key: str) -> str:
    if key not in values:
        return "missing"
    return "null" if values[key] is None else write_value(values[key])


def _data(run: HandedInRun) -> list[str]:
    own = run.result.fingerprints if run.result else None
    return sorted(own.data.values()) if own else []
