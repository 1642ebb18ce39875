"""The ledger of a reproduction: every judged figure and order, as CSV, Markdown and one HTML page."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import dlx
from dlx.report.formats import Column, Table, to_markdown, write_csv
from dlx.report.page.assets import environment, now, policy
from dlx.report.text import MISSING, visible, write_count, write_metric
from dlx.reproduce.claim import Figure, Order
from dlx.reproduce.measure import PARAMETERS, write_moment
from dlx.reproduce.rerun import Line, Rerun
from dlx.run.paths import write_atomically

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
    *("interval_low", "interval_high", "p", "published_low", "published_high"),
    *("verdict", "note", "deviations"),
)
TITLE = "Published figures, rerun"


@dataclass(frozen=True)
class Ledger:
    """The contents of the page; pairs are of a claim's label and a text."""

    finding: str
    facts: list[str]
    table: Table
    sources: list[tuple[str, str]]
    deviations: list[tuple[str, str]]
    not_run: list[tuple[str, str]]
    commands: list[str]


def write_ledger(reruns: Sequence[Rerun], not_run: Sequence[tuple[str, str]], command: str) -> Ledger:
    """Put the judged lines into words. `not_run`: the labels of other claims, and why they were not run."""
    lines = [line for each in reruns for line in each.lines]
    rows = [_cells(each.claim.label, line) for each in reruns for line in each.lines]
    torch = ", ".join(sorted({version for each in reruns for version in each.torch}))
    runs = write_count(sum(len(each.outcomes) for each in reruns), "run")
    extra = " ".join(reruns[0].extra)
    facts = [f"dlx {dlx.__version__}", torch and f"torch {torch}", runs, extra and f"with {extra}"]
    sources = [(each.claim.label, each.claim.title, each.claim.source) for each in reruns]
    return Ledger(
        finding=_finding(lines, len(not_run)),
        facts=[visible(fact) for fact in facts if fact],
        table=Table(COLUMNS, rows, _notes(lines)),
        sources=[(label, visible("; ".join(filter(None, texts)))) for label, *texts in sources],
        deviations=[(each.claim.label, visible(each.deviations)) for each in reruns if each.deviations],
        not_run=[(label, visible(why)) for label, why in not_run],
        commands=[visible(line) for line in [command, *(each.command for each in reruns)]],
    )


def save_ledger(ledger: Ledger, reruns: Sequence[Rerun], folder: Path) -> Path:
    """Write the ledger into `folder` as CSV, Markdown and HTML; return the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "index.html"
    texts = {
        folder / "ledger.csv": ledger_csv(reruns),
        folder / "ledger.md": ledger_markdown(ledger),
        page: ledger_html(ledger),
    }
    for path, text in texts.items():
        write_atomically(path, text.encode(errors="backslashreplace"))
    return page


def ledger_csv(reruns: Sequence[Rerun]) -> str:
    """Return every line at full precision, with intervals as computed; a missing value is empty."""
    rows = []
    for each in reruns:
        for line in each.lines:
            judgement, interval = line.judgement, line.judgement.interval
            rows.append(
                (
                    *(each.claim.label, line.setting, line.about.metric, str(line.about.at)),
                    *(judgement.mean, interval.std if interval else None),
                    *(line.completed, len(line.outcomes), line.diverged, line.failed),
                    *((interval.low, interval.high) if interval else (None, None)),
                    judgement.p,
                    *(line.about.ends if isinstance(line.about, Figure) else (None, None)),
                    *(judgement.word, judgement.note, each.deviations),
                )
            )
    return write_csv(CSV_COLUMNS, rows)


def ledger_html(ledger: Ledger) -> str:
    """Return the page, in the report's style. The template escapes every text."""
    template = environment("dlx.reproduce", "dlx.report.page").get_template("ledger.html.jinja")
    return template.render(
        title=TITLE,
        ledger=ledger,
        policy=policy(),
        command=ledger.commands[0],
        written=now(),
        versions=[f"dlx {dlx.__version__}", f"Python {platform.python_version()}"],
    )


def ledger_markdown(ledger: Ledger) -> str:
    """Return the ledger in GitHub's Markdown."""
    lists = {
        "Sources": ledger.sources,
        "Not run": ledger.not_run,
        "Differences from what was published": ledger.deviations,
    }
    parts = [f"# {TITLE}", " · ".join(ledger.facts), ledger.finding, to_markdown(ledger.table)]
    for heading, items in lists.items():
        if items:
            parts += [f"## {heading}", "\n".join(f"- {label}: {text}" for label, text in items)]
    parts += ["## To repeat this", "\n".join(f"    {command}" for command in ledger.commands)]
    return "\n\n".join(parts) + "\n"


def _finding(lines: Sequence[Line], not_run: int) -> str:
    counts = [
        f"{sum(line.judgement.word == word for line in lines)} {word.lower()}"
        for word in ("REPRODUCED", "NOT REPRODUCED", "UNDERPOWERED")
    ]
    missing = f"; {write_count(not_run, 'claim')} could not be run" if not_run else ""
    return f"Of {write_count(len(lines), 'published statement')}, {', '.join(counts)}{missing}."


def _notes(lines: Sequence[Line]) -> list[str]:
    figures = sum(isinstance(line.about, Figure) and line.about.tolerance is None for line in lines)
    notes = ["Values are those of the last epoch unless another moment is named."]
    if figures:
        notes.append(
            "A published figure comes from one run. It is reproduced if it lies inside our 95% prediction "
            "interval for one new run, and the interval is narrow enough to be informative. Even if every "
            f"figure were right, about {figures / 20:.2g} of {figures} would lie outside by chance. "
            "Intervals of accuracies are cut off at 0 and 1."
        )
    if any(isinstance(line.about, Order) for line in lines):
        notes.append(
            "An order is tested on differences paired by seed. It is reproduced if the two-sided t test has "
            "p of at most 0.05 and the difference has the published direction."
        )
    return notes


def _cells(label: str, line: Line) -> list[str]:
    about, judgement = line.about, line.judgement
    metric = about.metric.replace("_", " ")
    if about.at != "last" and about.metric != PARAMETERS:
        metric = f"{metric}, {write_moment(about.at)}"
    mean = MISSING if judgement.mean is None else _number(about.metric, judgement.mean)
    plus = "+" if isinstance(about, Order) and (judgement.mean or 0) > 0 else ""  # a mean of differences
    counts = [(line.diverged, "diverged"), (line.failed, "failed")]
    notes = [f"{count} of {len(line.outcomes)} runs {what}" for count, what in counts if count]
    return [
        label,
        visible(line.setting),
        visible(metric),
        f"{plus}{mean} ({line.completed})",
        _interval(line),
        _published(about),
        judgement.word,
        visible("; ".join(filter(None, [", ".join(notes), judgement.note]))),
    ]


def _interval(line: Line) -> str:
    if line.judgement.p is not None:
        return f"p {line.judgement.p:.2g}"
    if line.judgement.interval is None:
        return MISSING
    ends = (line.judgement.interval.low, line.judgement.interval.high)
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


def _number(metric: str, value: float) -> str:
    return f"{value:.0f}" if metric == PARAMETERS else write_metric(metric, value)
