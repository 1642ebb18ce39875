"""`dlx status [STUDY]`: the state of every run of a study."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dlx.commands.parser import Parser, existing_folder
from dlx.errors import RequestError
from dlx.report.text import visible
from dlx.study.bars import write_seconds
from dlx.study.state import OUTPUTS, RunState, State
from dlx.study.summary import brief

if TYPE_CHECKING:
    from dlx.study.held import Holder

SUMMARY = """Show the state of every run of a study: waiting, training, completed, diverged, failed,
interrupted, or stale (another machine holds it, but has written nothing for long)."""

EXAMPLES = """
dlx status
dlx status outputs/mystudy
dlx status outputs/mystudy --all
dlx status outputs/mystudy --json
"""

ROWS = 40  # of the table, unless --all: more would scroll away
ORDER: tuple[State, ...] = (
    "completed",
    "training",
    "stale",
    "interrupted",
    "waiting",
    "diverged",
    "failed",
    "unreadable",
)
TELLING = ORDER[1:4] + ORDER[5:]  # those shown of many runs: neither completed nor waiting
COLOURS = {
    "training": "cyan",
    "stale": "yellow",
    "interrupted": "yellow",
    "diverged": "yellow",
    "failed": "red",
    "unreadable": "red",
}


def main(arguments: Sequence[str]) -> int:
    """Run `dlx status` with these arguments and return 0. Raises RequestError for what is not a study."""
    given = _parser().parse(arguments)
    from dlx.study.state import find_studies, last_study, run_states
    from dlx.study.study import Study

    folder = given.folder or last_study(OUTPUTS)
    if folder is None:
        raise RequestError(
            f"there is no study under {OUTPUTS}/; train one with `dlx train`, or name a folder"
        )
    studies = find_studies(folder)
    if not studies:
        raise RequestError(f"'{folder}' holds no study")
    states = {study: run_states(Study(study)) for study in studies}
    if given.json:
        print(json.dumps([_as_json(study, runs) for study, runs in states.items()], indent=2))
        return 0
    for study, runs in states.items():
        print_states(Console(highlight=False), study, runs, every=given.all, short=len(studies) > 1)
    return 0


def _parser() -> Parser:
    parser = Parser(
        "dlx status",
        SUMMARY,
        examples=EXAMPLES,
        exit_codes="0 done; 2 the request was wrong; 4 storage failed.",
    )
    parser.add_argument(
        "folder",
        metavar="STUDY",
        nargs="?",
        type=existing_folder,
        help="the folder of a study, or one with several in it (default: the newest study under outputs/)",
    )
    parser.add_argument("--all", action="store_true", help=f"show every run (default: at most {ROWS})")
    parser.add_argument(
        "--json", action="store_true", help="print a list of studies, with all their runs, as JSON"
    )
    return parser


def print_states(
    console: Console, study: Path, states: "Sequence[RunState]", *, every: bool, short: bool = False
) -> None:
    """Print how many runs are where; unless `short`, also a row for each run, or for the telling ones."""
    counts = Counter(state.state for state in states)
    parts = [f"{counts[name]} {name}" for name in ORDER if counts[name]]
    runs = "1 run" if len(states) == 1 else f"{len(states)} runs"
    console.print(
        Text(visible(": ".join([str(study), runs, *filter(None, [", ".join(parts)])]))), soft_wrap=True
    )
    if short or not states:
        return
    shown = (
        states
        if every or len(states) <= ROWS
        else [state for state in states if state.state in TELLING][:ROWS]
    )
    if shown:
        console.print(_table(shown))
    if len(shown) < len(states):
        console.print(Text(f"{len(states) - len(shown)} runs are not shown; --all shows every run"))
    if counts["stale"]:
        console.print(Text("stale: another machine holds the run, but has written nothing for long"))


def _table(states: "Sequence[RunState]") -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("run", overflow="fold")
    table.add_column("status", no_wrap=True)
    table.add_column("epoch", justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for state in states:
        epoch = "" if state.epoch is None else str(state.epoch)
        of = f"/{state.epochs}" if epoch and state.epochs else ""
        name = Text(visible(state.label or state.name))
        table.add_row(
            name, Text(state.state, style=COLOURS.get(state.state, "")), epoch + of, Text(_details(state))
        )
    return table


def _details(state: "RunState") -> str:
    """Return who trains the run and for how long yet, its score, or why it failed."""
    if state.holder is not None:
        left = "" if state.seconds_left is None else f"about {write_seconds(state.seconds_left)} left, "
        return visible(f"{left}{state.holder.pid}@{state.holder.host} since {_time(state.holder.since)}")
    if state.result is not None and not state.note:
        return brief(state.result)
    return visible(state.note)


def _time(since: datetime) -> str:
    here = since.astimezone()
    today = here.date() == datetime.now(UTC).astimezone().date()
    return here.strftime("%H:%M" if today else "%Y-%m-%d %H:%M")


def _as_json(study: Path, states: "Sequence[RunState]") -> dict[str, Any]:
    return {
        "study": str(study),
        "counts": Counter(state.state for state in states),
        "runs": [
            {
                "name": state.name,
                "label": state.label,
                "status": state.state,
                "epoch": state.epoch,
                "epochs": state.epochs,
                "holder": None if state.holder is None else _holder(state.holder),
                "seconds_left": state.seconds_left,
                "error": state.note or None,
            }
            for state in states
        ],
    }


def _holder(holder: "Holder") -> dict[str, Any]:
    return {"pid": holder.pid, "host": holder.host, "since": holder.since.isoformat()}
