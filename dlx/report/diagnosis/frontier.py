"""The stability frontier: up to which learning rate each kind of net trains."""

from collections import Counter

from dlx.report.diagnosis.finding import Finding
from dlx.report.diagnosis.sweep import Sweep, SweepCheck, finding
from dlx.report.settings import label
from dlx.report.text import visible, write_count, write_value

KIND = "stability frontier"
RATE = "optimizer.lr"
BESIDE = ("optimizer.name", "batch_size", "model.norm")
LOST = ("diverged", "never learned", "unstable", "underfitting")
SHOWN = 4  # kinds of net named in the sentence

Counts = dict[float, Counter[str]]  # by learning rate: of its runs, how many there are and how many were lost


def find(sweep: Sweep) -> tuple[list[Finding], list[str]]:
    """Count what was lost at each learning rate, for each optimizer, batch size and norm that varies."""
    if RATE not in sweep.layout.keys:
        return [], [f"{RATE} does not vary"]
    limits: list[tuple[str, float, float, Counter[str]]] = []
    holding: list[str] = []
    for name, counts in count(sweep).items():
        steady = [rate for rate, counter in counts.items() if 2 * counter["lost"] < counter["runs"]]
        lost = [rate for rate in counts if steady and rate > min(steady) and rate not in steady]
        if lost:
            first = min(lost)
            limits.append((name, max(rate for rate in steady if rate < first), first, counts[first]))
        elif steady:
            holding.append(f"{name or 'all runs'} up to {write_value(max(counts))}")
    if not limits:
        return [], []
    return [_finding(limits, holding)], []


def count(sweep: Sweep) -> dict[str, Counts]:
    """Count by kind of net, "" where nothing beside the rate varies, and by rate, ascending."""
    beside = [key for key in BESIDE if key in sweep.layout.keys]
    table: dict[str, Counts] = {}
    failed = set(sweep.evidence.study.runs.index[sweep.evidence.study.runs["status"] == "failed"])
    for run, place in sweep.layout.of_run.items():
        row = sweep.layout.rows[place]
        rate = row[RATE]
        if run in failed or isinstance(rate, bool) or not isinstance(rate, int | float):
            continue
        name = visible(label({key: row[key] for key in beside}, sweep.layout.names)) if beside else ""
        kinds = [kind for kind in LOST if run in sweep.problems.get(kind, ())]
        counter = table.setdefault(name, {}).setdefault(float(rate), Counter())
        counter.update(["runs", *(["lost", kinds[0]] if kinds else [])])
    return {name: dict(sorted(counts.items())) for name, counts in table.items()}


def _finding(limits: list[tuple[str, float, float, Counter[str]]], holding: list[str]) -> Finding:
    clauses = []
    for name, steady, lost, counter in limits[:SHOWN]:
        kinds = ", ".join(f"{counter[kind]} {kind}" for kind in LOST if counter[kind])
        clauses.append(
            f"{name + ': ' if name else ''}steady up to lr {write_value(steady)}; at {write_value(lost)}, of "
            f"{write_count(counter['runs'], 'run')} {kinds}"
        )
    more = f"; {len(limits) - SHOWN} more such limits" if len(limits) > SHOWN else ""
    steady_too = f". No limit met: {'; '.join(holding[:SHOWN])}" if holding else ""
    numbers = {"limits": float(len(limits)), "lowest_lost": min(lost for _, _, lost, _ in limits)}
    if len(limits) == 1:
        numbers["highest_steady"] = limits[0][1]
    return finding(KIND, "note", f"Where training breaks. {'. '.join(clauses)}{more}{steady_too}.", **numbers)


CHECK = SweepCheck(KIND, find)
