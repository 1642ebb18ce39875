"""Takes runs through an engine's epochs, one alone or several together; their recorders write the files."""

from collections.abc import Sequence

from dlx.engine import loop, stacked
from dlx.engine.recorder import Recorder
from dlx.run.result import Result


def execute(recorder: Recorder) -> Result:
    """Train one run and return its result.

    An exception is first written as the result of a failed run, unless it says that nothing can be written.
    """
    try:
        for end in loop.train(recorder.run):
            recorder.epoch(end)
            if recorder.stop:
                break
        return recorder.finish(engine="loop")
    except Exception as error:
        recorder.fail(error)
        raise


def execute_together(recorders: Sequence[Recorder]) -> list[Result]:
    """Train runs of one `stacked.cohort_key` as one and return their results, in order.

    A run that diverges or stops early leaves the others to go on. An exception is that of all that have not
    ended: it is written as theirs, unless it says that nothing can be written.
    """
    active = set(range(len(recorders)))
    results: dict[int, Result] = {}
    try:
        for ends in stacked.train([recorder.run for recorder in recorders], active):
            for place, end in ends.items():
                recorders[place].epoch(end)
                if recorders[place].stop or end.row.epoch == recorders[place].run.epochs:
                    active.discard(place)
                    results[place] = recorders[place].finish(engine="stacked", cohort=len(recorders))
    except Exception as error:
        for place in set(range(len(recorders))) - set(results):
            recorders[place].fail(error)
        raise
    return [results[place] for place in range(len(recorders))]
