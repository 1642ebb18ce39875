"""The best value lies at the edge of the grid: a better one may lie beyond."""

import numpy as np
from scipy.special import stdtrit

from dlx.report.diagnosis.finding import Finding
from dlx.report.diagnosis.sweep import Sweep, SweepCheck, finding, pooled
from dlx.report.diagnosis.trend import Floats
from dlx.report.text import visible, write_metric, write_value
from dlx.run.identity import comparable

KIND = "edge of the grid"
VALUES = 3  # of a key: of two, both are an edge
OWN = 4  # degrees of freedom from which two settings' own variance is an estimate
LUCK = 0.01  # how often an edge may be called best though an interior value is as good


def find(sweep: Sweep) -> tuple[list[Finding], list[str]]:
    """Walk along every numeric key through the best setting, all other keys held."""
    if not sweep.ends:
        return [], ["no run completed"]
    means = {place: sweep.sign * float(values_n.mean()) for place, values_n in sweep.ends.items()}
    best = max(means, key=lambda place: means[place])
    findings, reasons = [], []
    keys = [key for key in sweep.layout.keys if len(_numbers(sweep, key)) >= VALUES]
    differing = _differing(sweep, best) if keys else {}
    for key in keys:
        line = through(sweep, key, differing)
        if len(line) < VALUES:
            reasons.append(
                f"{visible(key)}: fewer than {VALUES} values of it beside the best setting's others"
            )
        elif _at_edge(line, best):
            verdict = beyond(sweep, line, best)
            if verdict is None:
                reasons.append(f"{visible(key)}: one run a setting and no accuracy, so noise is not known")
            elif verdict[0] > verdict[1]:
                findings.append(_finding(sweep, key, line, best, verdict[0]))
    return findings, reasons if keys else ["no key takes three or more numbers"]


def _numbers(sweep: Sweep, key: str) -> set[float]:
    return {float(row[key]) for row in sweep.layout.rows if _is_number(row[key])}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


def _differing(sweep: Sweep, best: int) -> dict[int, set[str]]:
    """Return the keys in which each setting differs from the best."""
    rows = sweep.layout.rows
    own = {key: comparable(value) for key, value in rows[best].items()}
    return {
        place: {key for key, value in rows[place].items() if comparable(value) != own[key]}
        for place in sweep.ends
    }


def through(sweep: Sweep, key: str, differing: dict[int, set[str]]) -> dict[float, int]:
    """Return the settings that differ from the best in this key alone, by its value, ascending."""
    rows = sweep.layout.rows
    line = {
        float(rows[place][key]): place
        for place, keys in differing.items()
        if keys <= {key} and _is_number(rows[place][key])
    }
    return dict(sorted(line.items()))


def _at_edge(line: dict[float, int], best: int) -> bool:
    """Say whether the best is first or last; below 0 there is nothing to try."""
    low, *_, high = line
    return line[high] == best or (line[low] == best and low != 0)


def beyond(sweep: Sweep, line: dict[float, int], best: int) -> tuple[float, float] | None:
    """Return how many standard errors the best is ahead of the best interior value, and how many are luck.

    The error comes from seeds, pooled over the sweep, or over these two settings if they have enough runs to
    say that they vary more; of single runs, from the validation sample.
    """
    interior = [place for value, place in line.items() if value not in (min(line), max(line))]
    rival = max(interior, key=lambda place: sweep.sign * float(sweep.ends[place].mean()))
    one_n, other_n = sweep.ends[best], sweep.ends[rival]
    ahead = abs(float(one_n.mean() - other_n.mean()))
    variance, freedom = _variance(sweep, one_n, other_n, rival)
    if not np.isfinite(variance):
        return None
    error = float(np.sqrt(max(variance, 1e-300) * (1 / len(one_n) + 1 / len(other_n))))
    bound = float(stdtrit(freedom, 1 - LUCK / len(line)))
    return ahead / error, bound


def _variance(sweep: Sweep, one_n: Floats, other_n: Floats, rival: int) -> tuple[float, float]:
    variance, freedom = sweep.seeds()
    if freedom:
        own, own_freedom = pooled([one_n, other_n])
        believed = own_freedom >= OWN and own > variance
        return (own, own_freedom) if believed else (variance, freedom)
    place = next(iter(run for run, setting in sweep.layout.of_run.items() if setting == rival), "")
    for block in sweep.evidence.blocks:
        if place in block.runs and sweep.metric.endswith("accuracy"):
            samples = float(block.samples_R[block.runs.index(place)])
            mean = float(other_n.mean())
            return mean * (1 - mean) / samples, np.inf
    return float("nan"), 0.0


def _finding(sweep: Sweep, key: str, line: dict[float, int], best: int, ahead: float) -> Finding:
    values = list(line)
    value = next(value for value, place in line.items() if place == best)
    edge, direction = ("upper", "larger") if value == values[-1] else ("lower", "smaller")
    interior = {inner: line[inner] for inner in values[1:-1]}
    rival = max(interior, key=lambda inner: sweep.sign * float(sweep.ends[interior[inner]].mean()))
    scores = {place: float(sweep.ends[place].mean()) for place in (best, line[rival])}
    written = {place: write_metric(sweep.metric, score) for place, score in scores.items()}
    name = visible(sweep.layout.names[key])
    sentence = (
        f"The best {name}, {write_value(value)}, is the {edge} edge of what was tried "
        f"({write_value(values[0])} to {write_value(values[-1])}): {sweep.metric.replace('_', ' ')} "
        f"{written[best]} there, {written[line[rival]]} at {write_value(rival)}, the best value inside, "
        f"{ahead:.1f} standard errors apart. Try {direction} values."
    )
    return finding(
        KIND,
        "note",
        sentence,
        value=value,
        lowest=values[0],
        highest=values[-1],
        best=scores[best],
        inside=scores[line[rival]],
        standard_errors=ahead,
    )


CHECK = SweepCheck(KIND, find)
