"""How settings compare, pair by pair: what a comparison says."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["better", "worse", "equivalent", "undecided"]


@dataclass(frozen=True)
class Comparison:
    """One setting beside a reference, both places in Layout.rows.

    `difference`: setting minus reference, the mean over `pairs` seeds that both have, with its 95% interval
    from `low` to `high`. `p`: of the paired test; `p_holm`: corrected for the number of comparisons.
    `further_seeds`: how many more would decide an undecided pair, None if no number was found.
    """

    setting: int
    reference: int
    pairs: int
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    verdict: Verdict
    further_seeds: int | None
    sentence: str


@dataclass(frozen=True)
class Comparisons:
    """Every setting against the best one, and against a chosen baseline ([] without one).

    `metric` and `rule` say which values were compared; `margin` is the difference taken for none.
    """

    against_best: list[Comparison]
    against_baseline: list[Comparison]
    metric: str
    rule: Literal["last", "best"]
    margin: float
    notes: list[str]
