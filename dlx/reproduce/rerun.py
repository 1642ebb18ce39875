"""A claim, trained and judged: its grid through `dlx train`, then a line for each figure and order."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlx.config import resolved
from dlx.reproduce.claim import Claim, Figure, Order, Where
from dlx.reproduce.match import Planned, check_claim, matching, write_where
from dlx.reproduce.measure import PARAMETERS, better_by_monitor, measure, write_moment
from dlx.reproduce.request import train_words
from dlx.reproduce.verdict import Verdict, judge_figure, judge_order
from dlx.run.identity import flatten
from dlx.run.result import Result
from dlx.sweep.job import Job
from dlx.sweep.summary import Outcome, RunsFailedError
from dlx.train import train_grid


@dataclass(frozen=True)
class Line:
    """A published figure or order and what became of it; counts are of the runs it is about.

    `moment` is "" for the last epoch and for what no epoch changes.
    """

    about: Figure | Order
    setting: str
    metric: str
    moment: str
    verdict: Verdict
    runs: int
    completed: int
    diverged: int
    failed: int


@dataclass(frozen=True)
class Rerun:
    """A claim and what its runs said. `words` are those of `dlx train`; `root` is where results go."""

    claim: Claim
    words: list[str]
    lines: list[Line]
    outcomes: list[Outcome]
    root: Path

    @property
    def torch(self) -> set[str]:
        """The versions of torch that the runs were trained with."""
        return {each.result.versions.get("torch", "") for each in self.outcomes if each.result} - {""}


def rerun(claim: Claim, seeds: int, extra: Sequence[str]) -> Rerun:
    """Train what of the claim's grid is not finished, and judge it.

    Raises RequestError, before any training, for a claim that does not fit its own grid; and as `train_grid`
    does, but for runs that did not complete, which the lines count.
    """
    words = train_words(claim, seeds, extra)
    runs: list[Planned] = []
    roots: list[Path] = []

    def plan(jobs: Sequence[Job]) -> None:
        runs.extend(planned(job) for job in jobs)
        roots.append(Path(jobs[0].settings.output_root))
        check_claim(claim, runs)

    try:
        outcomes = train_grid(["--multirun", *words], plan)  # which lets Hydra say what is wrong with a word
    except RunsFailedError as error:
        outcomes = list(error.outcomes)
    lines = [_judge_figure(claim, figure, runs, outcomes) for figure in claim.figures]
    lines += [_judge_order(order, runs, outcomes) for order in claim.orders]
    return Rerun(claim, words, lines, outcomes, roots[0])


def planned(job: Job) -> Planned:
    """Return what of a composed run the claim is matched with."""
    choices = {str(key): str(value) for key, value in job.config.hydra.runtime.choices.items()}
    return Planned(job.settings.seed, flatten(resolved(job.config)), choices)


def _judge_figure(claim: Claim, figure: Figure, runs: Sequence[Planned], outcomes: Sequence[Outcome]) -> Line:
    places = matching(figure.where, runs)
    completed = {place: result for place in places if (result := _completed(outcomes[place]))}
    if figure.pick is not None:
        best: dict[int, int] = {}
        for place, result in completed.items():
            first = best.setdefault(runs[place].seed, place)
            if better_by_monitor(result) > better_by_monitor(completed[first]):
                best[runs[place].seed] = place
        completed = {place: completed[place] for place in best.values()}
    values_K = [
        measure(outcomes[place].folder, result, figure.metric, figure.at)
        for place, result in completed.items()
    ]
    rounding = claim.rounding if figure.rounding is None else figure.rounding
    setting = f"best of {write_where(figure.where)}" if figure.pick else write_where(figure.where)
    return _line(
        figure,
        setting,
        judge_figure(figure, values_K, rounding),
        [outcomes[p] for p in places],
        len(values_K),
    )


def _judge_order(order: Order, runs: Sequence[Planned], outcomes: Sequence[Outcome]) -> Line:
    first, second = (_by_seed(order, where, runs, outcomes) for where in order.sides)
    places = [place for where in order.sides for place in matching(where, runs)]
    joint = "like" if order.equal is not None else "below" if order.lower_is_better else "above"
    setting = f" {joint} ".join(write_where(where) for where in order.sides)
    pairs = len(set(first) & set(second))
    return _line(order, setting, judge_order(order, first, second), [outcomes[p] for p in places], pairs)


def _by_seed(
    order: Order, where: Where, runs: Sequence[Planned], outcomes: Sequence[Outcome]
) -> dict[int, float]:
    return {
        runs[place].seed: measure(outcomes[place].folder, result, order.metric, order.at)
        for place in matching(where, runs)
        if (result := _completed(outcomes[place]))
    }


def _completed(outcome: Outcome) -> Result | None:
    return outcome.result if outcome.succeeded else None


def _line(
    about: Figure | Order, setting: str, verdict: Verdict, outcomes: Sequence[Outcome], completed: int
) -> Line:
    return Line(
        about,
        setting,
        about.metric.replace("_", " "),
        "" if about.metric == PARAMETERS or about.at == "last" else write_moment(about.at),
        verdict,
        len(outcomes),
        completed,
        sum(each.result is not None and each.result.status == "diverged" for each in outcomes),
        sum(each.result is None for each in outcomes),
    )
