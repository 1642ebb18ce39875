"""Trains a cohort: one run alone, or several as a stack, with checkpoints on the way."""

from collections.abc import Iterator, Sequence
from typing import Literal

from dlx.engine import loop, stacked
from dlx.engine.checkpoints import Checkpoints
from dlx.engine.recorder import Recorder
from dlx.engine.run import EpochEnd
from dlx.run.result import Result

Engine = Literal["loop", "stacked"]


def execute(recorders: Sequence[Recorder], engine: Engine, checkpoints: Checkpoints) -> list[Result]:
    """Train runs of one `stacked.cohort_key` as a stack, or a single one in the loop; return their results.

    All start at the beginning, or after the same epoch of a checkpoint. If a run diverges or stops early, the
    others go on. An exception is recorded as the failure of every run that has not ended, if that can still
    be written, and raised again.
    """
    active = set(range(len(recorders)))
    results: dict[int, Result] = {}
    facts = {"engine": engine} if engine == "loop" else {"engine": engine, "cohort": checkpoints.cohort}
    try:
        for ends in _epochs(recorders, engine, active, checkpoints):
            for index, end in ends.items():
                recorders[index].epoch(end)
                if recorders[index].stop or end.row.epoch == recorders[index].run.epochs:
                    active.discard(index)
                    results[index] = recorders[index].finish(**facts)
            if not active:
                break
            checkpoints.epoch_end(engine, [recorders[index] for index in sorted(active)])
    except Exception as error:
        for index in set(range(len(recorders))) - set(results):
            recorders[index].fail(error)
        raise
    return [results[index] for index in range(len(recorders))]


def _epochs(
    recorders: Sequence[Recorder], engine: Engine, active: set[int], checkpoints: Checkpoints
) -> Iterator[dict[int, EpochEnd]]:
    """Yield each epoch's end by the index of the run."""
    runs, starts = [recorder.run for recorder in recorders], [recorder.start for recorder in recorders]
    if engine == "stacked":
        yield from stacked.train(runs, active, starts, checkpoints.before_step)
    else:
        assert len(runs) == 1, "the loop trains a run alone"
        for end in loop.train(runs[0], starts[0], checkpoints.before_step):
            yield {0: end}
