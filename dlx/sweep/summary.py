"""The table at a sweep's end: every run, what became of it, and its headline numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dlx.progress import score
from dlx.run.result import Result


@dataclass(frozen=True)
class Outcome:
    """What became of one run: a result, or the exception that ended it."""

    label: str
    folder: Path
    result: Result | None
    error: Exception | None

    @property
    def succeeded(self) -> bool:
        """Whether the run completed: neither failed nor diverged."""
        return self.result is not None and self.result.status == "completed"


class RunsFailedError(Exception):
    """A run of the sweep failed or diverged; all of them have ended."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        super().__init__(f"{sum(not o.succeeded for o in outcomes)} of {len(outcomes)} runs did not complete")
        self.outcomes = outcomes


def print_summary(outcomes: Sequence[Outcome], study: Path) -> None:
    """Print one row a run, in the grid's order, and how to see the comparison."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("\nrun", overflow="fold")
    table.add_column("\nstatus")
    scores = {score(outcome.result)[0] for outcome in outcomes if outcome.result}
    named = " or ".join(sorted(scores)) or "val acc"
    table.add_column(f"{named}\nlast", justify="right")
    table.add_column(f"{named}\nbest (epoch)", justify="right")
    table.add_column("\nseconds", justify="right")
    for outcome in outcomes:
        table.add_row(*_cells(outcome))
    console = Console(highlight=False)
    console.print(table)
    console.print(Text(f"compare them: dlx report {study}"), soft_wrap=True)


def _cells(outcome: Outcome) -> list[Text]:
    result = outcome.result
    if result is None:
        return [Text(outcome.label), Text("failed", style="red"), *[Text("-")] * 3]
    _, last, best = score(result)
    return [
        Text(outcome.label),
        Text(result.status, style="" if outcome.succeeded else "yellow"),
        Text(last),
        Text(best if best == "-" else f"{best} ({result.best['epoch']})"),
        Text(f"{result.time_seconds or 0:.1f}"),
    ]
