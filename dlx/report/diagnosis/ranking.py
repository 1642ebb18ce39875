"""Ranking not settled: settings change ranks during the last 20% of the epochs.

Axes: R runs, E epochs, S settings with scores at both times.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from dlx.metrics.catalogue import is_share
from dlx.report.diagnosis.evidence import Evidence, pooled_variance
from dlx.report.diagnosis.finding import Finding, NotChecked
from dlx.report.diagnosis.schedule import changes as rate_changes
from dlx.report.diagnosis.trend import SHORTEST, Flags, Floats
from dlx.report.text import visible, write_metric

KIND = "ranking not settled"
EARLIER = 0.8
LUCK = 0.01  # probability that any pair of settings is reported by chance
ACCURACY = 0.01  # smallest change of the difference that is reported
LOSS_SHARE = 0.02  # the same for losses, as a share of the median loss


@dataclass(frozen=True)
class TwoRankings:
    """Each setting's mean score after about 80% of the epochs and at the end.

    Both are averages over `window` epochs; the first ends at epoch `cut`. `settings`: indices in Design.rows.
    `variance_S`: squared standard error of the change between the two.
    """

    settings: list[int]
    earlier_S: Floats
    end_S: Floats
    variance_S: Floats
    freedom: int
    cut: int
    epochs: int
    window: int


def find_rank_reversals(evidence: Evidence) -> list[Finding | NotChecked]:
    """Compare every pair of settings at both times."""
    if len(evidence.scores) < 2:
        return [NotChecked(KIND, "fewer than two settings completed")]
    rankings = rank_twice(evidence)
    if isinstance(rankings, str):
        return [NotChecked(KIND, rankings)]
    reversed_SS = reversals(evidence, rankings)
    return [_finding(evidence, rankings, reversed_SS)] if reversed_SS.any() else []


def rank_twice(evidence: Evidence) -> TwoRankings | str:
    """Average the last epochs before each of the two times, or return why that is not possible."""
    if len(evidence.blocks) != 1:
        return "runs have different numbers of epochs"
    (block,) = evidence.blocks
    if block.epochs < SHORTEST:
        return f"fewer than {SHORTEST} epochs"
    late_RE = np.broadcast_to(np.arange(block.epochs) >= EARLIER * block.epochs - 1, block.rate_RE.shape)
    if rate_changes(block.rate_RE, late_RE).any():
        return "the learning rate changes during the last epochs, which moves the ranking by itself"
    curve_RE = block.curves[evidence.summary.metric]
    window, cut = max(2, block.epochs // 10), round(EARLIER * block.epochs)
    earlier_R, end_R = curve_RE[:, cut - window : cut].mean(axis=1), curve_RE[:, -window:].mean(axis=1)
    setting_R = np.array([evidence.design.of_run[run] for run in block.runs])
    able_R = np.isfinite(earlier_R) & np.isfinite(end_R)
    settings = sorted(set(setting_R[able_R].tolist()))
    groups = [able_R & (setting_R == setting) for setting in settings]
    changes = [(end_R - earlier_R)[group_R] for group_R in groups]
    variance, freedom = pooled_variance(changes)
    if not freedom:
        return "only one run per setting, so the variation between seeds is unknown"
    own_S = np.array([pooled_variance([each])[0] if len(each) > 1 else variance for each in changes])
    return TwoRankings(
        settings,
        np.array([earlier_R[group_R].mean() for group_R in groups]),
        np.array([end_R[group_R].mean() for group_R in groups]),
        np.fmax(own_S, variance) / [len(each) for each in changes],
        freedom,
        cut,
        block.epochs,
        window,
    )


def reversals(evidence: Evidence, rankings: TwoRankings) -> Flags:
    """Return for each pair [S, S] whether the row overtook the column by more than seeds explain."""
    earlier_SS = evidence.sign * (rankings.earlier_S[:, None] - rankings.earlier_S[None, :])
    end_SS = evidence.sign * (rankings.end_S[:, None] - rankings.end_S[None, :])
    error_SS = np.sqrt(rankings.variance_S[:, None] + rankings.variance_S[None, :])
    settings = len(rankings.settings)
    bound = float(stdtrit(rankings.freedom, 1 - LUCK / max(1, settings * (settings - 1))))
    level = float(np.median(np.abs(rankings.end_S)))
    worthwhile = ACCURACY if is_share(evidence.summary.metric) else LOSS_SHARE * level
    overtakes_SS = (earlier_SS < 0) & (end_SS > 0)
    return np.asarray(overtakes_SS & (end_SS - earlier_SS > np.fmax(bound * error_SS, worthwhile)))


def _finding(evidence: Evidence, rankings: TwoRankings, reversed_SS: Flags) -> Finding:
    """Name the best setting that overtook another, and the best of those it overtook."""
    order = np.argsort(-evidence.sign * rankings.end_S, kind="stable")
    above = next(int(row) for row in order if reversed_SS[row].any())
    below = next(int(column) for column in order if reversed_SS[above, column])

    def write(index: int) -> str:
        earlier, end = (
            write_metric(evidence.summary.metric, float(values_S[index]))
            for values_S in (rankings.earlier_S, rankings.end_S)
        )
        return f"{visible(evidence.design.labels[rankings.settings[index]])} ({earlier}, then {end})"

    pairs = int(reversed_SS.sum())
    more = f" In all, {pairs} pairs of settings changed ranks." if pairs > 1 else ""
    sentence = (
        f"The ranking was still changing: {write(above)} overtook {write(below)} between epochs "
        f"{rankings.cut} and {rankings.epochs} (means of {rankings.window} epochs), by more than the "
        f"variation between seeds explains.{more} Train longer before choosing."
    )
    return Finding(
        KIND,
        "sweep",
        "",
        "problem" if reversed_SS[order[0]].any() else "note",
        sentence,
        {
            "pairs": float(pairs),
            "epoch": float(rankings.cut),
            "epochs": float(rankings.epochs),
            "earlier": float(rankings.earlier_S[above]),
            "end": float(rankings.end_S[above]),
            "rival_earlier": float(rankings.earlier_S[below]),
            "rival_end": float(rankings.end_S[below]),
        },
    )
