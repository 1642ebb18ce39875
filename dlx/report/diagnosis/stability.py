"""Settings that fail to train, and the learning rate above which training fails."""

from collections import Counter

from dlx.report.design import label
from dlx.report.diagnosis.evidence import Evidence
from dlx.report.diagnosis.finding import Finding, NotChecked
from dlx.report.diagnosis.grid_edges import is_number
from dlx.report.diagnosis.never_learned import TOO_SLOW
from dlx.report.text import visible, write_count, write_names, write_value

FAILING = "failing settings"
STABILITY = "stability frontier"
RATE = "optimizer.lr"
BESIDE = ("optimizer.name", "batch_size", "model.norm")  # keys on which the limit may depend
SHOWN = 4  # limits named in the sentence
# By learning rate: the number of "runs", of training "failures" among them, and of each kind of failure.
Counts = dict[float, Counter[str]]


def find_failing_settings(evidence: Evidence) -> list[Finding | NotChecked]:
    """Report when training failed in most runs of at least half of the settings, and of two or more.

    Runs that were only too slow count as trained: they can be compared.
    """
    runs = Counter(evidence.design.of_run.values())
    failed = [run for run, kind in evidence.training_failures.items() if kind != TOO_SLOW.kind]
    failures = Counter(evidence.design.of_run[run] for run in failed)
    order = sorted(runs, key=lambda setting: evidence.summary.ranks.get(setting, setting))
    failing = [setting for setting in order if 2 * failures[setting] > runs[setting]]
    if len(failing) < 2 or 2 * len(failing) < len(runs):
        return []
    names = write_names([visible(evidence.design.labels[setting]) for setting in failing])
    sentence = f"Training failed in most runs of {len(failing)} of {len(runs)} settings: {names}."
    if others := len(runs) - len(failing):
        sentence += f" Only the other {write_count(others, 'setting')} can be compared."
    numbers = {"failing": float(len(failing)), "settings": float(len(runs))}
    return [Finding(FAILING, "sweep", "", "problem", sentence, numbers)]


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
        if evidence.statuses[run] == "failed" or not is_number(rate):  # a crash says nothing about the rate
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
