"""Values at the edge of the grid: every line through the grid along a numeric key is looked at.

A line is the settings that differ in one key only, for example the learning rates of one optimizer.
Axes: n completed runs of a setting.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import stdtrit

from dlx.metrics.catalogue import is_share, label_of
from dlx.report.design import label
from dlx.report.diagnosis.evidence import Evidence, pooled_variance
from dlx.report.diagnosis.finding import Finding, NotChecked, Severity
from dlx.report.text import visible, write_metric, write_names, write_value
from dlx.run.identity import comparable

EDGE = "edge of the grid"
VALUES = 3  # of a key, at least; with two, both are at an edge
OWN_FREEDOM = 4  # degrees of freedom, at least, for a usable estimate of a line's or a pair's own variance
LUCK = 0.01  # probability that any line is reported although all of its settings are equal
LUCK_OF_STEP = 0.02  # probability that a line is reported although its edge only equals the best value inside
ROUNDING = 1e-9  # of a gain: a smaller standard error is the rounding of equal scores
STEPS = 2.0  # further values, each gaining as much as the last one, in which a line may catch up
SHOWN = 4  # scores along a line that are written


@dataclass(frozen=True)
class GridLine:
    """The settings that differ in `key` only, by ascending value; `name`: what they share, "" if nothing."""

    key: str
    name: str
    settings: dict[float, int]


@dataclass(frozen=True)
class Edge:
    """A line whose best setting has its largest or smallest value. `inside`: the best value in between.

    `place`: "best" on the line of the best setting; else whether it could "catch up" or is "behind" it.
    """

    line: GridLine
    value: float
    inside: float
    errors: float
    place: str

    @property
    def largest(self) -> bool:
        """Return whether the edge is the largest value."""
        return self.value == max(self.line.settings)

    @property
    def words(self) -> tuple[str, str]:
        """Return the words for this edge and for values beyond it."""
        return ("largest", "larger") if self.largest else ("smallest", "smaller")


def find_grid_edges(evidence: Evidence) -> list[Finding | NotChecked]:
    """Compare the best setting of each line with the best one inside it; group the edges by key."""
    if not evidence.scores:
        return [NotChecked(EDGE, "no run completed")]
    numeric = [key for key in evidence.design.keys if len(_numbers(evidence, key)) >= VALUES]
    if not numeric:
        return [NotChecked(EDGE, "no key has three or more numeric values")]
    results: list[Finding | NotChecked] = []
    rows = [[comparable({key: row[key]}) for key in evidence.design.keys] for row in evidence.design.rows]
    lines = {key: _lines(evidence, key, rows) for key in numeric}
    edges_tested = 2 * sum(map(len, lines.values()))  # both ends of every line
    for key, of_key in lines.items():
        if not of_key:
            reason = f"no setting has {VALUES} values of it beside equal values of the other keys"
            results.append(NotChecked(EDGE, f"{visible(key)}: {reason}"))
            continue
        edges = [_examine(evidence, line, LUCK / edges_tested) for line in of_key]
        if "unknown" in edges:
            reason = "only one run per setting and no accuracy, so the noise is unknown"
            results.append(NotChecked(EDGE, f"{visible(key)}: {reason}"))
        results += _findings(evidence, [edge for edge in edges if isinstance(edge, Edge)], len(of_key))
    return results


def _numbers(evidence: Evidence, key: str) -> set[float]:
    return {float(row[key]) for row in evidence.design.rows if is_number(row[key])}


def is_number(value: object) -> bool:
    """Return whether a setting's value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


def _lines(evidence: Evidence, key: str, rows: Sequence[Sequence[str]]) -> list[GridLine]:
    """Return the settings that differ in this key alone, where enough do; those without a run also count.

    `rows`: of each setting, the comparable values of all keys.
    """
    at = evidence.design.keys.index(key)
    others = [other for other in evidence.design.keys if other != key]
    lines: dict[tuple[str, ...], GridLine] = {}
    for setting, (row, values) in enumerate(zip(evidence.design.rows, rows, strict=True)):
        if is_number(row[key]):
            line = lines.setdefault((*values[:at], *values[at + 1 :]), GridLine(key, "", {}))
            line.settings[float(row[key])] = setting
    return [_named(evidence, line, others) for line in lines.values() if _long(evidence, line)]


def _named(evidence: Evidence, line: GridLine, others: Sequence[str]) -> GridLine:
    row = evidence.design.rows[next(iter(line.settings.values()))]
    name = visible(label({other: row[other] for other in others}, evidence.design.names)) if others else ""
    return GridLine(line.key, name, dict(sorted(line.settings.items())))


def _long(evidence: Evidence, line: GridLine) -> bool:
    return sum(setting in evidence.scores for setting in line.settings.values()) >= VALUES


def _examine(evidence: Evidence, line: GridLine, luck: float) -> Edge | Literal["unknown"] | None:
    """Return the line's edge; None if its best value is inside, or not shown to be better than the others.

    It must be better than the best value inside the range, judged by the variance of these two, and than the
    mean of all others, judged by that of the line: values that learn nothing vary more, or not at all.
    """
    scored = {value: setting for value, setting in line.settings.items() if setting in evidence.scores}

    def good(value: float) -> float:
        return evidence.sign * evidence.mean(scored[value])

    _, *interior, _ = scored
    value, inside = max(scored, key=good), max(interior, key=good)
    lowest, highest = min(line.settings), max(line.settings)
    if value not in (lowest, highest) or value == lowest == 0:  # nothing to try below 0
        return None
    line_of, pair = list(scored.values()), [scored[value], scored[inside]]
    rest = [each for each in line_of if each != scored[value]]
    gain, error, freedom = _gain(
        evidence, scored[value], [scored[inside]], _variance(evidence, pair, line_of)
    )
    if np.isnan(error):
        return "unknown"
    above, above_error, above_freedom = _gain(evidence, scored[value], rest, _variance(evidence, line_of))
    if gain <= error * float(stdtrit(freedom, 1 - LUCK_OF_STEP)):
        return None
    if above <= above_error * float(stdtrit(above_freedom, 1 - luck)):
        return None
    lead = max(evidence.sign * evidence.mean(setting) for setting in evidence.scores) - good(value)
    place = "best" if lead <= 0 else "catch up" if lead <= STEPS * gain else "behind"
    return Edge(line, value, inside, gain / error if error > ROUNDING * gain else np.inf, place)


def _gain(
    evidence: Evidence, setting: int, others: Sequence[int], noise: tuple[float, float]
) -> tuple[float, float, float]:
    """Return how much better a setting is than the mean of others, the standard error, and its freedom."""
    variance, freedom = noise
    gain = evidence.sign * (evidence.mean(setting) - float(np.mean([evidence.mean(one) for one in others])))
    shares = [1 / len(evidence.scores[one]) for one in others]
    error = float(np.sqrt(variance * (1 / len(evidence.scores[setting]) + sum(shares) / len(others) ** 2)))
    return gain, error, freedom


def _variance(evidence: Evidence, *groups: Sequence[int]) -> tuple[float, float]:
    """Return the variance of a run's score and its degrees of freedom, NaN and 0 if unknown.

    The variance is pooled over the first of the groups of settings that has enough runs, or over all
    settings. With single runs, it is the sampling variance of an accuracy on the validation set.
    """
    for group in (*groups, list(evidence.scores)):
        variance, freedom = pooled_variance([evidence.scores[setting] for setting in group])
        if freedom >= OWN_FREEDOM:
            break
    if not freedom and is_share(evidence.summary.metric):
        setting = groups[0][-1]
        mean = evidence.mean(setting)
        return mean * (1 - mean) / evidence.samples(evidence.runs_of[setting][0]), np.inf
    return variance, freedom


def _findings(evidence: Evidence, edges: Iterable[Edge], lines: int) -> list[Finding]:
    """Return a finding for the best setting's edge, and one for all others at the same end and place."""
    groups: dict[tuple[str, bool], list[Edge]] = {}
    for edge in sorted(edges, key=lambda one: -evidence.sign * _score(evidence, one, one.value)):
        groups.setdefault((edge.place, edge.largest), []).append(edge)
    findings = []
    for (place, _), group in groups.items():
        first = group[0]
        sentence = _of_lines(evidence, group, lines) if len(group) > 1 else _of_line(evidence, first)
        numbers = {
            "value": first.value,
            "lowest": min(first.line.settings),
            "highest": max(first.line.settings),
            "best": _score(evidence, first, first.value),
            "inside": _score(evidence, first, first.inside),
            "edges": float(len(group)),
            "lines": float(lines),
        }
        if np.isfinite(first.errors):  # runs without any variation have no standard error
            numbers["standard_errors"] = first.errors
        severity: Severity = "note" if place == "behind" else "problem"
        findings.append(Finding(EDGE, "sweep", "", severity, sentence, numbers))
    return findings


def _score(evidence: Evidence, edge: Edge, value: float) -> float:
    return evidence.mean(edge.line.settings[value])


def _of_line(evidence: Evidence, edge: Edge) -> str:
    """Describe one edge: the best setting's by its lead, another one's by the scores along its line."""
    metric, name = evidence.summary.metric, visible(evidence.design.names[edge.line.key])
    extreme, more = edge.words
    if edge.place == "best":
        low, high = (write_value(end(edge.line.settings)) for end in (min, max))
        best, inside = (write_metric(metric, _score(evidence, edge, at)) for at in (edge.value, edge.inside))
        beside = f" for {edge.line.name}" if edge.line.name else ""
        return (
            f"The best {name}{beside}, {write_value(edge.value)}, is the {extreme} that was tried "
            f"({low} to {high}). Its {label_of(metric)} is {best}; the best value inside the range, "
            f"{write_value(edge.inside)}, has {inside}. Try {more} values."
        )
    scored = [value for value, setting in edge.line.settings.items() if setting in evidence.scores]
    shown = scored[-SHOWN:] if edge.largest else scored[:SHOWN]
    scores = ", ".join(
        f"{write_metric(metric, _score(evidence, edge, value))} at {write_value(value)}" for value in shown
    )
    return (
        f"{edge.line.name}: {label_of(metric)} still improves at the {extreme} {name} that was tried "
        f"({scores}). {_advice(evidence, edge)}"
    )


def _of_lines(evidence: Evidence, edges: Sequence[Edge], lines: int) -> str:
    metric, name = evidence.summary.metric, visible(evidence.design.names[edges[0].line.key])
    names = write_names([edge.line.name for edge in edges])
    return (
        f"In {len(edges)} of {lines} combinations of the other keys, {label_of(metric)} still improves "
        f"at the {edges[0].words[0]} {name} that was tried: {names}. {_advice(evidence, edges[0])}"
    )


def _advice(evidence: Evidence, edge: Edge) -> str:
    best = max(evidence.scores, key=lambda setting: evidence.sign * evidence.mean(setting))
    score = write_metric(evidence.summary.metric, evidence.mean(best))
    if edge.place == "behind":
        return f"The best setting ({score}) is too far ahead for {edge.words[1]} values to catch up soon."
    return f"Try {edge.words[1]} values: they could catch up with the best setting ({score})."
