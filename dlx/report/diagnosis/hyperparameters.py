"""Findings about a sweep's hyperparameters: edges of the grid, stability limits, importance.

Axes: n completed runs of a setting.
"""

import math
from collections import Counter

import numpy as np
from scipy.special import fdtrc, stdtrit

from dlx.report.design import label
from dlx.report.diagnosis.evidence import Evidence, pooled_variance
from dlx.report.diagnosis.finding import Finding, NotChecked
from dlx.report.diagnosis.trend import Floats
from dlx.report.text import METRIC_NAMES, visible, write_count, write_metric, write_value
from dlx.run.identity import comparable

EDGE = "edge of the grid"
VALUES = 3  # of a key, at least; with two, both are at an edge
OWN_FREEDOM = 4  # degrees of freedom, at least, for a usable estimate of two settings' own variance
LUCK = 0.01  # probability of reporting, by chance, an edge no better than the interior, or equal settings

STABILITY = "stability frontier"
RATE = "optimizer.lr"
BESIDE = ("optimizer.name", "batch_size", "model.norm")  # keys on which the limit may depend
SHOWN = 4  # limits named in the sentence
# By learning rate: the number of "runs", of training "failures" among them, and of each kind of failure.
Counts = dict[float, Counter[str]]

IMPORTANCE = "importance"


def find_grid_edges(evidence: Evidence) -> list[Finding | NotChecked]:
    """Compare the best setting with those that differ from it in one numeric key."""
    if not evidence.scores:
        return [NotChecked(EDGE, "no run completed")]
    best = max(evidence.scores, key=lambda setting: evidence.sign * evidence.mean(setting))
    rows = evidence.design.rows
    numeric = [
        key
        for key in evidence.design.keys
        if len({float(row[key]) for row in rows if _is_number(row[key])}) >= VALUES
    ]
    if not numeric:
        return [NotChecked(EDGE, "no key has three or more numeric values")]
    own = {key: comparable(value) for key, value in rows[best].items()}
    differing = {
        setting: {key for key, value in rows[setting].items() if comparable(value) != own[key]}
        for setting in evidence.scores
    }
    results: list[Finding | NotChecked] = []
    for key in numeric:
        beside = [setting for setting, keys in differing.items() if keys <= {key}]
        line = {float(rows[each][key]): each for each in beside if _is_number(rows[each][key])}
        results += _examine_line(evidence, key, dict(sorted(line.items())), best)
    return results


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


def _examine_line(
    evidence: Evidence, key: str, line: dict[float, int], best: int
) -> list[Finding | NotChecked]:
    """Compare `best` with the best interior setting of `line`, the settings by ascending value of `key`."""
    if len(line) < VALUES:
        reason = f"fewer than {VALUES} values are combined with the best setting's other values"
        return [NotChecked(EDGE, f"{visible(key)}: {reason}")]
    low, *interior, high = line
    if line[high] != best and (line[low] != best or low == 0):  # nothing to try below 0
        return []
    inside = max(interior, key=lambda value: evidence.sign * evidence.mean(line[value]))
    variance, freedom = _variance(evidence, best, line[inside])
    if not np.isfinite(variance):
        reason = "only one run per setting and no accuracy, so the noise is unknown"
        return [NotChecked(EDGE, f"{visible(key)}: {reason}")]
    runs = [len(evidence.scores[setting]) for setting in (best, line[inside])]
    error = float(np.sqrt(max(variance, 1e-300) * (1 / runs[0] + 1 / runs[1])))
    errors = abs(evidence.mean(best) - evidence.mean(line[inside])) / error
    real = errors > float(stdtrit(freedom, 1 - LUCK / len(line)))
    return [_edge_finding(evidence, key, line, best, inside, errors)] if real else []


def _variance(evidence: Evidence, best: int, inside: int) -> tuple[float, float]:
    """Return the variance of a run's score and its degrees of freedom, NaN and 0 if unknown.

    The variance is pooled over all settings, or over these two if they vary more and have enough runs to
    show it. With single runs, it is the sampling variance of an accuracy on the validation set.
    """
    variance, freedom = pooled_variance(evidence.scores.values())
    if freedom:
        own, own_freedom = pooled_variance([evidence.scores[best], evidence.scores[inside]])
        return (own, own_freedom) if own_freedom >= OWN_FREEDOM and own > variance else (variance, freedom)
    run = next((run for run, setting in evidence.design.of_run.items() if setting == inside), "")
    for block in evidence.blocks:
        if run in block.runs and evidence.summary.metric.endswith("accuracy"):
            mean = evidence.mean(inside)
            return mean * (1 - mean) / float(block.samples_R[block.runs.index(run)]), np.inf
    return float("nan"), 0.0


def _edge_finding(
    evidence: Evidence, key: str, line: dict[float, int], best: int, inside: float, errors: float
) -> Finding:
    low, *_, high = line
    value, extreme, more = (high, "largest", "larger") if line[high] == best else (low, "smallest", "smaller")
    metric = evidence.summary.metric
    scores = evidence.mean(best), evidence.mean(line[inside])
    best_score, inside_score = (write_metric(metric, score) for score in scores)
    sentence = (
        f"The best {visible(evidence.design.names[key])}, {write_value(value)}, is the {extreme} that was "
        f"tried ({write_value(low)} to {write_value(high)}). Its {METRIC_NAMES[metric]} of {best_score} is "
        f"{errors:.1f} standard errors better than {inside_score} at {write_value(inside)}, the best value "
        f"inside the range. Try {more} values."
    )
    numbers = {"value": value, "lowest": low, "highest": high, "best": scores[0], "inside": scores[1]}
    return Finding(EDGE, "sweep", "", "note", sentence, numbers | {"standard_errors": errors})


def find_stability_limits(evidence: Evidence) -> list[Finding | NotChecked]:
    """Find the learning rate above which training fails, for each combination of the keys in BESIDE."""
    if RATE not in evidence.design.keys:
        return [NotChecked(STABILITY, f"{RATE} does not vary")]
    limits: list[tuple[str, float, float, Counter[str]]] = []
    unlimited: list[str] = []
    for name, counts in _count_training_failures(evidence).items():
        if limit := stability_limit(counts):
            limits.append((name, *limit, counts[limit[1]]))
        elif not any(counter["failures"] for counter in counts.values()):
            unlimited.append(f"{name} up to lr {write_value(max(counts))}")
    return [_stability_finding(limits, unlimited)] if limits else []


def stability_limit(counts: Counts) -> tuple[float, float] | None:
    """Return the rates just below and above the limit that best separates success from training failure.

    None unless most runs above it failed and most below succeeded. Rates that are too low to learn anything
    lie below the limit, where their failures count against it.
    """
    rates = list(counts)
    limit, most_right = None, -1
    for index in range(1, len(rates)):
        below = sum((counts[rate] for rate in rates[:index]), Counter[str]())
        above = sum((counts[rate] for rate in rates[index:]), Counter[str]())
        stable = below["runs"] - below["failures"]
        if stable + above["failures"] > most_right:
            most_right = stable + above["failures"]
            separates = 2 * stable > below["runs"] and 2 * above["failures"] > above["runs"]
            limit = (rates[index - 1], rates[index]) if separates else None
    return limit


def _count_training_failures(evidence: Evidence) -> dict[str, Counts]:
    """Count runs by the values of BESIDE, as a label ("" if none varies), and by learning rate, ascending."""
    beside = [key for key in BESIDE if key in evidence.design.keys]
    table: dict[str, Counts] = {}
    for run, setting in evidence.design.of_run.items():
        row = evidence.design.rows[setting]
        rate = row[RATE]
        if evidence.statuses[run] == "failed" or not _is_number(rate):  # a crash says nothing about the rate
            continue
        name = visible(label({key: row[key] for key in beside}, evidence.design.names)) if beside else ""
        counter = table.setdefault(name, {}).setdefault(float(rate), Counter())
        failure = evidence.training_failures.get(run)
        counter.update(["runs", "failures", failure] if failure else ["runs"])
    return {name: dict(sorted(counts.items())) for name, counts in table.items()}


def _stability_finding(limits: list[tuple[str, float, float, Counter[str]]], unlimited: list[str]) -> Finding:
    clauses = []
    for name, stable, failing, counter in limits[:SHOWN]:
        kinds = ", ".join(f"{counter[kind]} {kind}" for kind in counter if kind not in ("runs", "failures"))
        runs = f"{counter['failures']} of {write_count(counter['runs'], 'run')} ({kinds})"
        clauses.append(
            f"between {write_value(stable)} and {write_value(failing)}{f' for {name}' if name else ''}, "
            f"where training failed in {runs}"
        )
    more = f"; {len(limits) - SHOWN} more limits" if len(limits) > SHOWN else ""
    others = f" No failures with {', '.join(unlimited[:SHOWN])}." if unlimited else ""
    sentence = f"The learning rate's stability limit lies {'; '.join(clauses)}{more}.{others}"
    numbers = {"limits": float(len(limits)), "lowest_lost": min(failing for _, _, failing, _ in limits)}
    if len(limits) == 1:
        numbers["highest_steady"] = limits[0][1]
    return Finding(STABILITY, "sweep", "", "note", sentence, numbers)


def find_importance(evidence: Evidence) -> list[Finding | NotChecked]:
    """Attribute the variance between the settings' means to keys, if there is more than seeds explain."""
    keys = evidence.design.keys
    if len(keys) < 2:
        return [NotChecked(IMPORTANCE, "fewer than two keys vary")]
    grid = crossed_grid(evidence)
    if isinstance(grid, str):
        return [NotChecked(IMPORTANCE, grid)]
    variance, freedom = pooled_variance(evidence.scores.values())
    if not freedom:
        return [NotChecked(IMPORTANCE, "only one run per setting, so the variation between seeds is unknown")]
    counts = [len(scores_n) for scores_n in evidence.scores.values()]
    between = float(grid.var(ddof=1)) * len(counts) / sum(1 / count for count in counts)
    ratio = between / max(variance, 1e-300)
    if float(fdtrc(grid.size - 1, freedom, ratio)) > LUCK:
        return [NotChecked(IMPORTANCE, f"settings differ no more than seeds do (F = {ratio:.2f})")]
    return [_importance_finding(evidence, dict(zip(keys, main_effects(grid), strict=True)))]


def crossed_grid(evidence: Evidence) -> Floats | str:
    """Return the settings' means in an array with an axis for each key, or why that is not possible."""
    rows, keys = evidence.design.rows, evidence.design.keys
    values = [list(dict.fromkeys(comparable(row[key]) for row in rows)) for key in keys]
    size = math.prod(len(each) for each in values)
    if size != len(rows):
        names = ", ".join(map(visible, keys))
        return f"the grid is not complete: it has {len(rows)} of {size} combinations of {names}"
    if missing := len(rows) - len(evidence.scores):
        return f"{missing} of {len(rows)} settings have no completed run"
    grid = np.full([len(each) for each in values], np.nan)
    for setting, row in enumerate(rows):
        at = tuple(each.index(comparable(row[key])) for key, each in zip(keys, values, strict=True))
        grid[at] = evidence.mean(setting)
    return grid


def main_effects(grid: Floats) -> list[float]:
    """Return each axis's main effect as a share of the variance of a full grid; the rest is interactions.

    These are the first-order terms of functional ANOVA (Hutter, Hoos and Leyton-Brown, 2014).
    """
    total, axes = float(grid.var()), range(grid.ndim)
    return [
        float(grid.mean(axis=tuple(other for other in axes if other != axis)).var()) / total for axis in axes
    ]


def _importance_finding(evidence: Evidence, shares: dict[str, float]) -> Finding:
    first, *others = sorted(shares, key=lambda key: -shares[key])
    names = evidence.design.names
    rest = max(0.0, 1 - sum(shares.values()))
    smaller = "".join(f"{visible(names[key])} {100 * shares[key]:.0f}%, " for key in others)
    sentence = (
        f"{visible(names[first])} matters most: by itself it explains {100 * shares[first]:.0f}% of the "
        f"variance of {METRIC_NAMES[evidence.summary.metric]} between the {len(evidence.scores)} settings "
        f"({smaller}interactions {100 * rest:.0f}%)."
    )
    numbers = {visible(key): shares[key] for key in (first, *others)} | {"interactions": rest}
    return Finding(IMPORTANCE, "sweep", "", "note", sentence, numbers)
