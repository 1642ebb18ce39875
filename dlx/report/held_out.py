"""The held-out scores that `dlx evaluate` recorded, and how often they were looked at."""

from pathlib import Path

from dlx.report.aggregate import Summary
from dlx.report.load import StudyData
from dlx.report.settings import Design
from dlx.report.text import visible, write_count, write_metric
from dlx.run.evaluations import Evaluation, read_evaluations
from dlx.statistics.intervals import wilson

SPLIT = "test"


def held_out(study: StudyData, layout: Design, summary: Summary) -> list[str]:
    """Say what the last look at the test split found, and how many there were; [] if there was none."""
    looks: list[tuple[str, Evaluation]] = []
    sentences = []
    for run, folder in study.runs["folder"].items():
        try:
            found = read_evaluations(Path(folder))
        except (ValueError, OSError) as error:
            sentences.append(f"Looks at held-out data cannot be read: {visible(str(error))}.")
            continue
        looks += [(str(run), look) for look in found if look.split == SPLIT]
    if not looks:
        return sentences
    run, last = max(looks, key=lambda pair: pair[1].time)
    setting = layout.of_run[run]
    best = setting == summary.table["setting"].iloc[0]
    of = f"{layout.labels[setting]}{'' if best else ', which is not the best setting here'} ({visible(run)})"
    chosen = f", the best of {last.chosen_from} runs by validation" if last.chosen_from > 1 else ""
    return [f"On held-out data: {_score(last)} with {of}{chosen}.", _looked(len(looks)), *sentences]


def _score(look: Evaluation) -> str:
    samples = write_count(look.samples, "test sample")
    if look.accuracy is None:
        return f"test loss {write_metric('loss', look.loss)} ({samples})"
    low, high = wilson(round(look.accuracy * look.samples), look.samples)
    ends = " to ".join(write_metric("accuracy", end) for end in (low, high))
    return f"test accuracy {write_metric('accuracy', look.accuracy)} (95% interval {ends}, {samples})"


def _looked(looks: int) -> str:
    if looks == 1:
        return "The test split was looked at once."
    said = "what was decided after a look is no longer tested by it"
    return f"The test split was looked at {looks} times: {said}."
