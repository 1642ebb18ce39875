"""The ranking had not settled: settings changed places between 80% and 100% of the epochs.

Axes: R runs, E epochs, S settings.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from dlx.report.diagnosis.finding import Finding
from dlx.report.diagnosis.sweep import Sweep, SweepCheck, finding, pooled
from dlx.report.diagnosis.trend import SHORTEST, Flags, Floats
from dlx.report.text import visible, write_metric

KIND = "ranking not settled"
EARLIER = 0.8
LUCK = 0.01  # how often any pair of settings may be called reversed by chance
ACCURACY = 0.01  # a change of the difference that is worth a line
LOSS_SHARE = 0.02


@dataclass(frozen=True)
class Standing:
    """Each setting's mean of the metric around 80% and at the end of the epochs.

    `error_S`: standard error of its change; `freedom`: of that error. `places`: in Design.rows.
    """

    places: list[int]
    earlier_S: Floats
    end_S: Floats
    variance_S: Floats
    freedom: float
    epochs: int
    window: int


def find(sweep: Sweep) -> tuple[list[Finding], list[str]]:
    """Compare every pair of settings at both times."""
    if len(sweep.ends) < 2:
        return [], ["fewer than two settings completed"]
    standing = stand(sweep)
    if isinstance(standing, str):
        return [], [standing]
    reversed_SS = reversals(sweep, standing)
    if not reversed_SS.any():
        return [], []
    return [_finding(sweep, standing, reversed_SS)], []


def stand(sweep: Sweep) -> Standing | str:
    """Average the last epochs before either time; say why that cannot be done."""
    blocks = sweep.evidence.blocks
    if len(blocks) != 1:
        return "runs have different numbers of epochs"
    block = blocks[0]
    if block.epochs < SHORTEST:
        return f"fewer than {SHORTEST} epochs"
    curve_RE = block.curves[sweep.metric]
    window = max(2, block.epochs // 10)
    cut = round(EARLIER * block.epochs)
    earlier_R, end_R = curve_RE[:, cut - window : cut].mean(axis=1), curve_RE[:, -window:].mean(axis=1)
    setting_R = np.array([sweep.layout.of_run[run] for run in block.runs])
    able_R = np.isfinite(earlier_R) & np.isfinite(end_R)
    places = sorted(set(setting_R[able_R].tolist()))
    groups = [able_R & (setting_R == place) for place in places]
    changes = [(end_R - earlier_R)[group] for group in groups]
    variance, freedom = pooled(changes)
    if not freedom:
        return "one run a setting: how much of a change is chance is not known"
    own_S = np.array([pooled([change])[0] if len(change) > 1 else variance for change in changes])
    counts_S = np.array([len(change) for change in changes])
    return Standing(
        places,
        np.array([earlier_R[group].mean() for group in groups]),
        np.array([end_R[group].mean() for group in groups]),
        np.fmax(own_S, variance) / counts_S,
        float(freedom),
        block.epochs,
        window,
    )


def reversals(sweep: Sweep, standing: Standing) -> Flags:
    """Say of each pair [S, S] whether the row overtook the column by more than seeds make it."""
    earlier_SS = sweep.sign * (standing.earlier_S[:, None] - standing.earlier_S[None, :])
    end_SS = sweep.sign * (standing.end_S[:, None] - standing.end_S[None, :])
    error_SS = np.sqrt(standing.variance_S[:, None] + standing.variance_S[None, :])
    settings = len(standing.places)
    bound = float(stdtrit(standing.freedom, 1 - LUCK / max(1, settings * (settings - 1))))
    level = float(np.median(np.abs(standing.end_S)))
    worth = ACCURACY if sweep.metric.endswith("accuracy") else LOSS_SHARE * level
    change_SS = end_SS - earlier_SS
    return np.asarray((earlier_SS < 0) & (end_SS > 0) & (change_SS > np.fmax(bound * error_SS, worth)))


def _finding(sweep: Sweep, standing: Standing, reversed_SS: Flags) -> Finding:
    order = np.argsort(-sweep.sign * standing.end_S, kind="stable")
    leader_changed = bool(reversed_SS[order[0]].any())
    above = next(int(row) for row in order if reversed_SS[row].any())
    below = next(int(column) for column in order if reversed_SS[above, column])
    cut = round(EARLIER * standing.epochs)

    def written(setting: int) -> str:
        at = [
            write_metric(sweep.metric, float(values[setting]))
            for values in (standing.earlier_S, standing.end_S)
        ]
        return f"{visible(sweep.layout.labels[standing.places[setting]])} ({at[0]} then {at[1]})"

    pairs = int(reversed_SS.sum())
    more = f"; {pairs} pairs of settings changed places so" if pairs > 1 else ""
    sentence = (
        f"The ranking had not settled: {written(above)} overtook {written(below)} between epoch {cut} "
        f"and {standing.epochs}, by more than seeds vary (means of {standing.window} epochs"
        f"{more}). Train longer before choosing."
    )
    return finding(
        KIND,
        "problem" if leader_changed else "note",
        sentence,
        pairs=float(pairs),
        epoch=float(cut),
        epochs=float(standing.epochs),
        earlier=float(standing.earlier_S[above]),
        end=float(standing.end_S[above]),
        rival_earlier=float(standing.earlier_S[below]),
        rival_end=float(standing.end_S[below]),
    )


CHECK = SweepCheck(KIND, find)
