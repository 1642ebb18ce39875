"""Reruns a claim: trains its grid as `dlx train` does, then judges each of its figures and orders."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlx.compose.request import ComposedRun, compose
from dlx.errors import RequestError, unknown
from dlx.report.text import write_value
from dlx.reproduce.claim import Claim, Figure, Order, Value, Where, packaged_claims
from dlx.reproduce.judgement import Judgement, judge_figure, judge_order
from dlx.reproduce.measure import read_metric
from dlx.reproduce.where import PlannedRun, matching, write_where
from dlx.run.documents import shorten
from dlx.run.identity import flatten
from dlx.run.result import Result
from dlx.scoring import monitored
from dlx.study.summary import Outcome
from dlx.study.training import train_request

PLACES = ("output_root", "data.root", "data.path", "launcher", "hydra")  # keys, and groups
TRUST = "add --trust if you trust it"
SET_BY_CLAIM = {"seed": "use --seeds K", "name": "the claim sets it", "sweep": "the claim sets it"}


@dataclass(frozen=True)
class Line:
    """A figure or order of the claim, judged."""

    about: Figure | Order
    setting: str
    judgement: Judgement
    outcomes: list[Outcome]  # of the runs that it is about
    completed: int  # values that it is judged by: runs, picked runs, or pairs

    @property
    def diverged(self) -> int:
        """How many of the runs diverged."""
        return sum(each.result is not None and each.result.status == "diverged" for each in self.outcomes)

    @property
    def failed(self) -> int:
        """How many of the runs failed."""
        return sum(each.result is None for each in self.outcomes)


@dataclass(frozen=True)
class Rerun:
    """A claim and its judged lines."""

    claim: Claim
    extra: Sequence[str]  # the user's own settings
    command: str
    lines: list[Line]
    outcomes: list[Outcome]
    root: Path  # output_root

    @property
    def deviations(self) -> str:
        """How the rerun differs from what was published: by the claim, and by the user's settings."""
        own = f"run with {' '.join(self.extra)}" if self.extra else ""
        return "; ".join(filter(None, [self.claim.deviation_text, own]))

    @property
    def torch(self) -> set[str]:
        """The versions of torch that the runs were trained with."""
        return {each.result.versions.get("torch", "") for each in self.outcomes if each.result} - {""}

    @property
    def contradicts(self) -> bool:
        """Whether a figure or an order is not reproduced, or a run failed."""
        refuted = any(line.judgement.word == "NOT REPRODUCED" for line in self.lines)
        return refuted or any(outcome.result is None for outcome in self.outcomes)


def rerun(claim: Claim, seeds: int | None, extra: Sequence[str], *, trust: bool = False) -> Rerun:
    """Train the claim's runs (see `train_words`), except finished ones, and judge its figures and orders.

    Prints the command of `dlx train` that does the same. Raises RequestError, before any training, for a
    claim that does not fit its own grid, and for one that is neither packaged nor trusted but needs it.
    """
    trust = trust or claim in packaged_claims()
    if not trust:
        check_words(claim)
    words = train_words(claim, seeds, extra)
    request = compose(words)
    if not trust:
        check_code(claim, request.runs, extra)
    runs = [planned_run(run) for run in request.runs]
    check_claim(claim, runs)
    command = shlex.join(["dlx", "train", *words])
    print(f"{claim.label}: {command}", flush=True)
    outcomes = train_request(request)
    lines = [_figure_line(claim, figure, runs, outcomes) for figure in claim.figures]
    lines += [_order_line(order, runs, outcomes) for order in claim.orders]
    return Rerun(claim, extra, command, lines, outcomes, Path(request.runs[0].settings.output_root))


def train_words(claim: Claim, seeds: int | None, extra: Sequence[str]) -> list[str]:
    """Return the words for `dlx train`: the claim's grid, once with each of `seeds` seeds (default: its own).

    Everything random varies with the seed: the split, the first weights, the order, the draws. A claim
    without any randomness gets a single seed. If several words set one key, the last is kept, so a claim may
    fix the split, and a user may fix a key of the grid.
    """
    seeds = claim.seeds if seeds is None or claim.seeds == 1 else seeds
    repeats = [f"seed={','.join(map(str, range(seeds)))}", "data.split_seed=${seed}"]
    grid = [f"{key}={','.join(map(_write_word, values))}" for key, values in claim.grid.items()]
    # A study of its own: in the preset's, a report would mix the runs of both.
    words = [*repeats, *claim.overrides, *grid, f"name={claim.claim}-reproduced", *extra]
    return list({word.partition("=")[0]: word for word in words}.values())


def check_words(claim: Claim) -> None:
    """Raise RequestError if the claim sets where files are written or read, or by what runs are trained."""
    for word in (*claim.overrides, *claim.grid):
        key = word.lstrip("+~").partition("=")[0]
        if key in PLACES or re.split("[./@]", key)[0] in PLACES:
            raise RequestError(f"{claim.label}: the claim sets '{shorten(word)}'; {TRUST}")


def check_code(claim: Claim, runs: Sequence[ComposedRun], extra: Sequence[str]) -> None:
    """Raise RequestError if the claim, and not the user's own `extra` words, names code to run."""
    for key, target in {item for run in runs for item in run.settings.targets.items()}:
        if f"{key}={target}" not in extra:
            raise RequestError(f"{claim.label}: the claim runs the code {key}={shorten(target)}; {TRUST}")


def check_extra(extra: Sequence[str]) -> None:
    """Raise RequestError if the user sets a key that a reproduction sets itself."""
    for word in extra:
        key = word.partition("=")[0]
        if key in SET_BY_CLAIM:
            raise RequestError(f"{word}: '{key}' cannot be set here: {SET_BY_CLAIM[key]}")


def planned_run(run: ComposedRun) -> PlannedRun:
    """Return the parts of a composed run that a `where` is matched with."""
    return PlannedRun(run.settings.seed, flatten(run.config), run.choices)


def check_claim(claim: Claim, runs: Sequence[PlannedRun]) -> None:
    """Raise RequestError for a `where` that matches no run, or several of one seed without `pick`."""
    for number, figure in enumerate(claim.figures):
        path = f"{claim.label}: figures.{number}.where"
        _check_where(path, figure.where, runs, several=figure.pick is not None)
        if figure.at == "test" and any(run.settings["keep"] == "none" for run in runs):
            raise RequestError(
                f"{path}: 'at: test' needs the weights; use keep=best or keep=last instead of keep=none"
            )
    for number, order in enumerate(claim.orders):
        for where in order.sides:
            _check_where(f"{claim.label}: orders.{number}", where, runs, several=False)


def _check_where(path: str, where: Where, runs: Sequence[PlannedRun], *, several: bool) -> None:
    for key in where:
        if not any(key in run.settings or key in run.choices for run in runs):
            names = {name for run in runs for name in (*run.settings, *run.choices)}
            near = {name for name in names if name.split(".")[0] == key.split(".")[0]} or names
            raise unknown(f"{path}.{key}", key, near)
    indices = matching(where, runs)
    if not indices:
        seen = "; ".join(f"{key} is {_values_of(key, runs)}" for key in where)
        raise RequestError(f"{path}: no run has {write_where(where)} ({seen})")
    seeds = [runs[index].seed for index in indices]
    if len(set(seeds)) < len(seeds) and not several:
        raise RequestError(
            f"{path}: {len(indices)} runs of {len(set(seeds))} seeds have {write_where(where)}; "
            "name more keys, or use pick: best"
        )


def _values_of(key: str, runs: Sequence[PlannedRun]) -> str:
    values = [run.settings.get(key, run.choices.get(key)) for run in runs]
    return " or ".join(dict.fromkeys(write_value(value) for value in values))


def _write_word(value: Value) -> str:
    return "null" if value is None else write_value(value) if not isinstance(value, float) else repr(value)


def _figure_line(
    claim: Claim, figure: Figure, runs: Sequence[PlannedRun], outcomes: Sequence[Outcome]
) -> Line:
    indices = matching(figure.where, runs)
    completed = {index: result for index in indices if (result := _completed(outcomes[index]))}
    if figure.pick is not None:
        best: dict[int, int] = {}
        for index, result in completed.items():
            first = best.setdefault(runs[index].seed, index)
            if monitored(result, "best") > monitored(completed[first], "best"):
                best[runs[index].seed] = index
        completed = {index: completed[index] for index in best.values()}
    values_K = [
        read_metric(outcomes[index].folder, result, figure.metric, figure.at)
        for index, result in completed.items()
    ]
    rounding = claim.rounding if figure.rounding is None else figure.rounding
    setting = f"best of {write_where(figure.where)}" if figure.pick else write_where(figure.where)
    judgement = judge_figure(figure, values_K, rounding)
    return Line(figure, setting, judgement, [outcomes[index] for index in indices], len(values_K))


def _order_line(order: Order, runs: Sequence[PlannedRun], outcomes: Sequence[Outcome]) -> Line:
    first, second = (
        {
            runs[index].seed: read_metric(outcomes[index].folder, result, order.metric, order.at)
            for index in matching(where, runs)
            if (result := _completed(outcomes[index]))
        }
        for where in order.sides
    )
    joint = "like" if order.equal is not None else "below" if order.lower_is_better else "above"
    setting = f" {joint} ".join(write_where(where) for where in order.sides)
    about = [outcomes[index] for where in order.sides for index in matching(where, runs)]
    return Line(order, setting, judge_order(order, first, second), about, len(set(first) & set(second)))


def _completed(outcome: Outcome) -> Result | None:
    return outcome.result if outcome.succeeded else None
