"""The ledger: every figure and order of the claims rerun, as text for people and as CSV at full precision."""

from collections.abc import Sequence
from dataclasses import dataclass

import dlx
from dlx.report.formats import Column, Table, write_csv
from dlx.report.text import MISSING, visible, write_count, write_metric
from dlx.reproduce.claim import Figure, Order
from dlx.reproduce.measure import PARAMETERS
from dlx.reproduce.rerun import Line, Rerun

COLUMNS = [
    Column("claim", "", 0, numeric=False),
    Column("setting", "", 0, numeric=False),
    Column("metric", "", 0, numeric=False),
    Column("ours", "mean and n", 0, numeric=True),
    Column("95% interval", "of one new run", 0, numeric=True),
    Column("published", "", 0, numeric=True),
    Column("verdict", "", 0, numeric=False),
    Column("note", "", 1, numeric=False),
]
CSV_COLUMNS = (
    *("claim", "setting", "metric", "at", "mean", "std", "completed", "runs", "diverged", "failed"),
    *(
        "interval_low",
        "interval_high",
        "p",
        "published_low",
        "published_high",
        "verdict",
        "note",
        "deviations",
    ),
)


@dataclass(frozen=True)
class Ledger:
    """What is shown: `finding` in a line, `facts` of the request, the table, and lists of text below it."""

    finding: str
    facts: list[str]
    table: Table
    sources: list[tuple[str, str]]
    deviations: list[tuple[str, str]]
    not_run: list[tuple[str, str]]
    commands: list[str]


def write_ledger(
    reruns: Sequence[Rerun], not_run: Sequence[tuple[str, str]], extra: Sequence[str], commands: Sequence[str]
) -> Ledger:
    """Write out what the reruns say. `not_run`: claims, and why; `extra`: the user's own words."""
    pairs = [(each, line) for each in reruns for line in each.lines]
    rows = [_cells(each, line) for each, line in pairs]
    torch = ", ".join(sorted({version for each in reruns for version in each.torch}))
    facts = [f"dlx {dlx.__version__}", f"torch {torch}" if torch else "", _runs(reruns)]
    facts.append(f"with {' '.join(extra)}" if extra else "")
    return Ledger(
        finding=_finding([line for _, line in pairs], len(not_run)),
        facts=[visible(fact) for fact in facts if fact],
        table=Table(COLUMNS, rows, _notes([line for _, line in pairs])),
        sources=[(each.claim.label, visible(_source(each))) for each in reruns],
        deviations=[
            (each.claim.label, visible(text)) for each in reruns if (text := _deviations(each, extra))
        ],
        not_run=[(label, visible(why)) for label, why in not_run],
        commands=[visible(command) for command in commands],
    )


def to_csv(reruns: Sequence[Rerun], extra: Sequence[str]) -> str:
    """Return every line at full precision, intervals not clipped; missing is empty."""
    rows = [
        (
            *(each.claim.label, line.setting, line.about.metric, str(line.about.at)),
            *(line.verdict.mean, line.verdict.interval.std if line.verdict.interval else None),
            *(line.completed, line.runs, line.diverged, line.failed),
            *(
                (line.verdict.interval.low, line.verdict.interval.high)
                if line.verdict.interval
                else (None, None)
            ),
            line.verdict.p,
            *(line.about.ends if isinstance(line.about, Figure) else (None, None)),
            *(line.verdict.word, line.verdict.note, _deviations(each, extra)),
        )
        for each in reruns
        for line in each.lines
    ]
    return write_csv(CSV_COLUMNS, rows)


def _finding(lines: Sequence[Line], not_run: int) -> str:
    counts = [
        f"{sum(line.verdict.word == word for line in lines)} {word.lower()}"
        for word in ("REPRODUCED", "NOT REPRODUCED", "UNDERPOWERED")
    ]
    missing = f"; {write_count(not_run, 'claim')} could not be run" if not_run else ""
    return f"Of {write_count(len(lines), 'published statement')}, {', '.join(counts)}{missing}."


def _notes(lines: Sequence[Line]) -> list[str]:
    figures = sum(isinstance(line.about, Figure) and line.about.tolerance is None for line in lines)
    notes = ["Values are of the last epoch unless another moment is named."]
    if figures:
        notes.append(
            "A published figure is one run's: it is compared with the 95% prediction interval for one new "
            "run, and reproduced if it lies inside an interval narrow enough to say something. Of "
            f"{write_count(figures, 'figure')} about {figures / 20:.2g} would lie outside by chance alone, "
            "were all of them right. Intervals of accuracies are shown within 0 and 1."
        )
    if any(isinstance(line.about, Order) for line in lines):
        notes.append(
            "An order is tested on differences paired by seed: p of the exact one-sided sign-flip test, "
            "reproduced at 0.05 or below."
        )
    return notes


def _cells(each: Rerun, line: Line) -> list[str]:
    verdict, metric = line.verdict, line.about.metric
    mean = MISSING if verdict.mean is None else _number(metric, verdict.mean)
    plus = "+" if isinstance(line.about, Order) and (verdict.mean or 0) > 0 else ""  # a mean of differences
    ours = f"{plus}{mean} ({line.completed})"
    return [
        each.claim.label,
        visible(line.setting),
        visible(", ".join(filter(None, [line.metric, line.moment]))),
        ours,
        _interval(line),
        _published(line.about),
        verdict.word,
        visible("; ".join(filter(None, [_unlucky(line), verdict.note]))),
    ]


def _interval(line: Line) -> str:
    if line.verdict.p is not None:
        return f"p {line.verdict.p:.2g}"
    if line.verdict.interval is None:
        return MISSING
    ends = (line.verdict.interval.low, line.verdict.interval.high)
    if line.about.metric.endswith("accuracy"):
        ends = (max(0.0, ends[0]), min(1.0, ends[1]))
    return MISSING.join(_number(line.about.metric, end) for end in ends)


def _published(about: Figure | Order) -> str:
    if isinstance(about, Order):
        return f"within {about.margin:g}" if about.margin else MISSING
    if about.value is not None:
        return _number(about.metric, about.value)
    low, high = (None if end is None else _number(about.metric, end) for end in about.range or ())
    return (
        f"at most {high}" if low is None else f"at least {low}" if high is None else f"{low}{MISSING}{high}"
    )


def _unlucky(line: Line) -> str:
    counts = [(line.diverged, "diverged"), (line.failed, "failed")]
    return ", ".join(f"{count} of {line.runs} runs {what}" for count, what in counts if count)


def _number(metric: str, value: float) -> str:
    return f"{value:.0f}" if metric == PARAMETERS else write_metric(metric, value)


def _runs(reruns: Sequence[Rerun]) -> str:
    outcomes = [outcome for each in reruns for outcome in each.outcomes]
    return write_count(len(outcomes), "run")


def _source(each: Rerun) -> str:
    return "; ".join(filter(None, [each.claim.title, each.claim.source]))


def _deviations(each: Rerun, extra: Sequence[str]) -> str:
    """Return where this rerun differs from the published experiment: the claim's words, and the user's."""
    return "; ".join(
        filter(None, [each.claim.deviation_text, f"run with {' '.join(extra)}" if extra else ""])
    )
