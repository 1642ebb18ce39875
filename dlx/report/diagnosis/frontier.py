"""The stability frontier: up to which learning rate each kind of net trains."""

from collections import Counter

from dlx.report.design import label
from dlx.report.diagnosis.finding import Finding
from dlx.report.diagnosis.sweep import Sweep, SweepCheck, finding
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
        cut = frontier(counts)
        if cut:
            limits.append((name, *cut, counts[cut[1]]))
        elif not any(counter["lost"] for counter in counts.values()):
            holding.append(f"{name or 'all runs'} up to {write_value(max(counts))}")
    if not limits:
        return [], []
    return [_finding(limits, holding)], []


def frontier(counts: Counts) -> tuple[float, float] | None:
    """Return the highest rate below and the lowest above the cut that parts steady runs from lost ones best.

    None if the majority is not lost above it, or not steady below. A rate so low that nothing is learned in
    time lies on the steady side, and counts against the cut.
    """
    rates = list(counts)
    best, right = None, -1
    for place in range(1, len(rates)):
        below = sum((counts[rate] for rate in rates[:place]), Counter[str]())
        above = sum((counts[rate] for rate in rates[place:]), Counter[str]())
        steady = below["runs"] - below["lost"]
        if steady + above["lost"] > right:
            right = steady + above["lost"]
            parted = 2 * steady > below["runs"] and 2 * above["lost"] > above["runs"]
            best = (rates[place - 1], rates[place]) if parted else None
    return best


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
