"""Which settings of a run count for an assignment, and in which of them a student's run differs."""

from collections.abc import Sequence

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
    """Say in which settings a run differs from the assignment; those of other programs name only some."""
    theirs, ours = (_compared(each, free) for each in (run, asked))
    both_dlx = run.result is not None and asked.result is not None
    keys = {**ours, **theirs} if both_dlx else [key for key in theirs if key in ours]
    said = [
        f"{visible(key)} is {write_value(theirs.get(key))}, not {write_value(ours.get(key))}"
        for key in keys
        if comparable({key: theirs.get(key)}) != comparable({key: ours.get(key)})
    ]
    if both_dlx and not said and _data(run) != _data(asked):
        said = ["the data have other contents than the assignment's"]
    return said


def _data(run: HandedInRun) -> list[str]:
    own = run.result.fingerprints if run.result else None
    return sorted(own.data.values()) if own else []
