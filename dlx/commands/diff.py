"""`dlx diff A B`: in what two runs, settings or studies differ."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dlx.commands.parser import Parser, one_of
from dlx.errors import RequestError
from dlx.report.text import visible
from dlx.working import working

if TYPE_CHECKING:
    from dlx.report.difference import Difference
    from dlx.report.side import Side

SUMMARY = """Show how two runs, settings or studies differ: in settings, code, data and environment. Names the
first epoch at which runs with equal seeds differ, and tests the paired difference of their scores."""

EXAMPLES = """
dlx diff outputs/first outputs/second
dlx diff outputs/mystudy:optimizer=adam outputs/mystudy:optimizer=sgd
dlx diff outputs/mystudy:optimizer=adam optimizer=sgd
dlx diff outputs/mystudy/mlp-adam-b32-s0-1cf76f151c outputs/other
"""


def main(arguments: Sequence[str]) -> int:
    """Run `dlx diff` with these arguments and return 0. Raises RequestError for what names no runs."""
    given = _parser().parse(arguments)
    first = _place(given.first, None)
    second = _place(given.second, first[0])
    with working("reading the runs"):
        from dlx.report.difference import find_difference
        from dlx.report.side import Side

        one, other = Side("A", *first), Side("B", *second)
        found = find_difference(one, other, given.metric or "")
    print_difference(Console(highlight=False), found, [(given.first, one), (given.second, other)])
    return 0


def print_difference(console: Console, found: "Difference", sides: "Sequence[tuple[str, Side]]") -> None:
    """Print what the `sides`, by the words that name them, are, and in what they differ."""
    heads = Table.grid(padding=(0, 2))
    for word, side in sides:
        heads.add_row(Text(side.name, style="bold"), Text(visible(word)), side.count)
    console.print(heads)
    rows_of = {
        "Settings": found.settings,
        "Settings that change at most the last bits": found.others,
        "Code and data": found.code_and_data,
        "Environment": found.environment,
    }
    for heading, rows in rows_of.items():
        console.print(Text(f"\n{heading}{'' if rows else ': no difference'}", style="bold"))
        if rows:
            table = Table.grid(padding=(0, 2))
            table.add_row("", "A", "B")
            for row in rows:
                table.add_row(Text(f"  {row.name}"), Text(row.first), Text(row.second))
            console.print(table)
    for heading, sentences in {
        "Histories": found.histories,
        "Scores at the last epoch": found.verdicts,
    }.items():
        console.print(Text(f"\n{heading}", style="bold"))
        for sentence in sentences:
            for line in Text(sentence).wrap(console, console.width - 2):
                console.print(Text("  ") + line)


def _parser() -> Parser:
    parser = Parser(
        "dlx diff",
        SUMMARY,
        examples=EXAMPLES,
        notes="A and B are DIR, a run or a study, or DIR:SETTING, with SETTING as\n"
        "'KEY=VALUE,...' or as a label of the report's table. If B has no DIR, it is a\n"
        "setting in A's.",
        exit_codes="0 done; 2 the request was wrong; 4 storage failed.",
    )
    parser.add_argument("first", metavar="A", type=_word, help="a run, a setting or a study")
    parser.add_argument("second", metavar="B", type=_word, help="what to compare with it")
    parser.add_argument(
        "--metric", type=_metric, help="compare this at the last epoch (default: val_accuracy, or val_loss)"
    )
    return parser


def _word(word: str) -> str:
    if not word.strip() or "\0" in word:
        raise argparse.ArgumentTypeError(f"'{word}' names no run, setting or study")
    return word


def _metric(word: str) -> str:
    from dlx.report.load import METRICS  # imports pandas

    return one_of(*METRICS)(word)


def _place(word: str, before: Path | None) -> tuple[Path, str]:
    """Return the folder and the setting that an argument names; `before`: the folder of the other one."""
    whole = Path(word).expanduser()
    if whole.is_dir():
        return whole, ""
    folder, colon, setting = word.partition(":")
    if colon and Path(folder).expanduser().is_dir():
        return Path(folder).expanduser(), setting
    if before is not None and not colon and ("=" in word or "/" not in word):
        return before, word
    raise RequestError(f"there is no folder '{folder}'; name a run or a study, or DIR:SETTING")
