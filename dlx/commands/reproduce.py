"""`dlx reproduce`: reruns claims one after the other, then writes and prints the ledger."""

import io
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlx.commands.parser import Parser, output_folder, whole_number
from dlx.errors import RequestError

if TYPE_CHECKING:
    from rich.table import Table

    from dlx.reproduce.claim import Claim
    from dlx.reproduce.ledger import Ledger
    from dlx.reproduce.rerun import Rerun

FOLDER = "reproduction"  # below output_root
STYLES = {"REPRODUCED": "green", "NOT REPRODUCED": "red", "UNDERPOWERED": "yellow"}

EXAMPLES = """
dlx reproduce --list
dlx reproduce digits_layers
dlx reproduce fashion_learning_rate A4 data.root=~/data --seeds 10
dlx reproduce mine.yaml --output outputs/mine
"""

NOTES = """
Each claim is a grid of `dlx train`, trained once with each seed. The split, the
first weights and the order of the samples all follow the seed; a claim without
any randomness is run once. Finished runs are kept: the same command continues.

REPRODUCED      the published figure lies in the 95% prediction interval for
                one new run, and the interval is narrow enough to tell
NOT REPRODUCED  it lies outside
UNDERPOWERED    more seeds are needed; the ledger says how many
"""

EXIT_CODES = (
    "0 no published figure is contradicted; 1 a figure or an order is not reproduced, or a run "
    "failed; 2 the request, a claim or the data was wrong; 4 storage failed; 130 interrupted."
)


def main(arguments: Sequence[str]) -> int:
    """Run `dlx reproduce` with these arguments and return its exit code."""
    given = _parser().parse(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # on a terminal that has only ASCII
    if given.list:
        from dlx.reproduce.claim import packaged_claims

        _show_list(packaged_claims())
        return 0
    settings = [word for word in given.words if "=" in word or word.startswith("~")]
    names = [word for word in given.words if word not in settings]
    if not names:
        raise RequestError("name a claim by its name, id or file, or all; `dlx reproduce --list` shows them")
    from dlx.reproduce.claim import find_claims
    from dlx.reproduce.ledger import save_ledger, write_ledger
    from dlx.reproduce.rerun import check_extra
    from dlx.run.files import make_folder

    check_extra(settings)
    reruns, not_run = _rerun_all(find_claims(names), given.seeds, settings, trust=given.trust)
    ledger = write_ledger(reruns, not_run, shlex.join(["dlx", "reproduce", *arguments]))
    _show(ledger, save_ledger(ledger, reruns, given.output or make_folder(reruns[0].root, FOLDER)))
    return 2 if not_run else 1 if any(each.contradicts for each in reruns) else 0


def _parser() -> Parser:
    parser = Parser(
        "dlx reproduce",
        "Rerun published experiments, and say which of their figures are reproduced.",
        examples=EXAMPLES,
        notes=NOTES,
        exit_codes=EXIT_CODES,
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="CLAIM|KEY=VALUE",
        help="claims by name, id or file, or all; KEY=VALUE changes a setting of each",
    )
    parser.add_argument("--list", action="store_true", help="list the claims and train nothing")
    parser.add_argument(
        "--seeds",
        type=whole_number(1, at_most=1000),
        metavar="K",
        help="runs of each setting (default: the claim's own number, mostly 5)",
    )
    parser.add_argument(
        "--trust",
        action="store_true",
        help="let claims that are files run a model of their own code, and set where files are",
    )
    parser.add_argument(
        "--output",
        type=output_folder,
        metavar="DIR",
        help=f"write the ledger here (default: {FOLDER}/ below output_root)",
    )
    return parser


def _rerun_all(
    claims: "Sequence[Claim]", seeds: int | None, settings: Sequence[str], *, trust: bool
) -> "tuple[list[Rerun], list[tuple[str, str]]]":
    """Return the claims that were rerun, and the labels of those that could not be, with the reason.

    Raises RequestError if none could be.
    """
    from dlx.reproduce.rerun import rerun

    reruns: list[Rerun] = []
    errors: list[tuple[str, RequestError]] = []
    for claim in claims:
        try:
            reruns.append(rerun(claim, seeds, settings, trust=trust))
        except RequestError as error:
            errors.append((claim.label, error))
    if not reruns and len(errors) == 1:
        raise errors[0][1]
    not_run = [(label, str(error)) for label, error in errors]
    if not reruns:
        raise RequestError("; ".join(f"{label}: {why}" for label, why in not_run)) from errors[0][1]
    return reruns, not_run


def _show(ledger: "Ledger", page: Path) -> None:
    """Print the ledger. All text goes through `Text`: rich's markup would act on a name like `[/]`."""
    from rich.console import Console
    from rich.text import Text

    from dlx.report.text import visible

    console = Console(highlight=False)
    console.print(Text(" · ".join(ledger.facts), style="bold"))
    console.print(Text(f"{ledger.finding}\n"))
    grid = _grid("claim", "setting and metric")
    for column in ledger.table.columns[3:-1]:  # the note is a sentence, so it goes below
        heading = Text(column.heading)
        grid.add_column(heading, justify="right" if column.numeric else "left", no_wrap=column.numeric)
    for label, setting, metric, *cells, _ in ledger.table.rows:
        texts = [label, f"{setting}: {metric}", *cells]
        grid.add_row(*(Text(text, style=STYLES.get(text, "")) for text in texts))
    console.print(grid)
    for label, setting, metric, *_, note in ledger.table.rows:
        if note:
            console.print(Text(f"{label}, {setting}, {metric}: {note}"))
    for label, text in ledger.deviations:
        console.print(Text(f"{label} differs: {text}"))
    for label, why in ledger.not_run:
        console.print(Text(f"{label} was not run: {why}", style="red"))
    console.print(Text("\n".join(["", *ledger.table.notes]), style="dim"))
    # No wrapping: a path broken over two lines can be neither copied nor clicked.
    console.print(Text(f"\n{visible(str(page))}", style="bold"), soft_wrap=True)


def _show_list(claims: "Sequence[Claim]") -> None:
    """Print each claim's id, name and title, and the commands of those that have no preset of their name."""
    from rich.console import Console
    from rich.text import Text

    from dlx.report.text import visible, write_count

    console = Console(highlight=False)
    grid = _grid("id", "name")
    grid.add_column(Text("what was published"), overflow="fold")
    for claim in claims:
        counts = [(len(claim.figures), "figure"), (len(claim.orders), "order")]
        published = ", ".join(write_count(count, noun) for count, noun in counts if count) or "no figure"
        grid.add_row(claim.id, claim.claim, Text(visible(f"{claim.title or claim.claim}: {published}")))
    console.print(grid)
    console.print("\ndlx reproduce NAME reruns an experiment and checks its figures.")
    console.print("dlx train sweep=NAME runs the experiment itself, except:")
    for claim in claims:
        if claim.train_commands != [f"dlx train sweep={claim.claim}"]:
            for command in claim.train_commands:
                console.print(Text(f"  {claim.label:<4} {command}"), soft_wrap=True)


def _grid(first: str, second: str) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False, padding=(0, 1, 0, 0))
    grid.add_column(Text(first), no_wrap=True)
    grid.add_column(Text(second), overflow="fold")
    return grid
