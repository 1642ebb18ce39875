"""`dlx reproduce [NAME or FILE.yaml ...]`: rerun published experiments, and say what reproduces."""

import argparse
import io
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlx.arguments import Parser
from dlx.errors import RequestError, unknown

if TYPE_CHECKING:
    from dlx.reproduce.rerun import Rerun

FOLDER = "reproduction"  # below output_root
FLAGS = ("--list", "--seeds", "--output", "--help")

EPILOG = """examples:
  dlx reproduce --list
  dlx reproduce A2 data.root=~/data
  dlx reproduce A1 A2 mine.yaml --seeds 10
  dlx reproduce all

Each claim is one grid of dlx train, once for each seed (which draws the split,
the first weights and the order): finished runs are kept, the same command goes
on. REPRODUCED: the published figure lies in the 95% prediction interval for one
new run, and that is narrow enough to say something; NOT REPRODUCED: it lies
outside; UNDERPOWERED: more seeds are needed, and the ledger says how many. What
draws nothing at random is run once, whatever --seeds says.

exit codes: 0 nothing speaks against a published figure; 1 a figure or an order is
not reproduced, or a run failed; 2 the request, a claim or the data was wrong."""


def main(arguments: Sequence[str]) -> int:
    """Run `dlx reproduce` with these arguments and return its exit code.

    Raises RequestError for what is wrong with the request or a claim, before any training of that claim;
    OSError where nothing can be written.
    """
    options, unknown_flags = _parser().parse_known_intermixed_args(arguments)
    if unknown_flags:
        raise unknown("flags", unknown_flags[0], FLAGS)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # on a terminal that has only ASCII
    names = [word for word in options.words if not _is_setting(word)]
    if options.list or not names:
        return _list(asked=options.list)
    extra = [word for word in options.words if _is_setting(word)]
    try:
        return _reproduce(
            names, extra, options.seeds, options.output, shlex.join(["dlx", "reproduce", *arguments])
        )
    except KeyboardInterrupt:
        print("dlx reproduce: interrupted; finished runs are kept, the same command goes on", file=sys.stderr)
        return 130


def _parser() -> Parser:
    parser = Parser(
        "dlx reproduce",
        str(__doc__),
        EPILOG,
        usage="dlx reproduce [NAME or FILE.yaml ...] [KEY=VALUE ...] [--list] [--seeds K] [--output DIR]",
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="NAME",
        help="claims by id or name, your own files, or all; KEY=VALUE is added to the settings of each",
    )
    parser.add_argument("--list", action="store_true", help="list the claims and train nothing")
    parser.add_argument(
        "--seeds",
        type=_count,
        metavar="K",
        help="runs of each setting; if not given, the claim's (most often 5)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="write the ledger here, not into <output_root>/reproduction",
    )
    return parser


def _count(written: str) -> int:
    if not written.isdecimal() or int(written) < 1:
        raise argparse.ArgumentTypeError(f"{written!r} is not a whole number of 1 or more")
    return int(written)


def _is_setting(word: str) -> bool:
    return "=" in word or word.startswith("~")


def _list(*, asked: bool) -> int:
    from rich.console import Console

    from dlx.reproduce import catalogue, terminal

    terminal.show_list(Console(highlight=False), catalogue.packaged())
    if not asked:
        raise RequestError("name the claims to rerun, by id, name or file; all: every one with figures")
    return 0


def _reproduce(
    names: Sequence[str], extra: Sequence[str], seeds: int | None, output: Path | None, command: str
) -> int:
    """Rerun the claims one after the other, write the ledger, show it."""
    from dlx.complaint import complaint, is_complaint
    from dlx.reproduce import catalogue, request
    from dlx.reproduce.rerun import rerun

    request.check_extra(extra)
    claims = catalogue.find(names)
    reruns: list[Rerun] = []
    not_run: list[tuple[str, str]] = []
    for claim in claims:
        asked = request.seeds_for(claim, seeds)
        words = request.train_words(claim, asked, extra)
        print(f"{claim.label}: {shlex.join(['dlx', 'train', *words])}", flush=True)
        try:
            reruns.append(rerun(claim, asked, extra))
        except Exception as error:
            if os.environ.get("HYDRA_FULL_ERROR") == "1" or not is_complaint(error):
                raise
            said = complaint(error, words)
            not_run.append((claim.label, said))
            if len(claims) == 1:
                raise RequestError(said) from error
    if not reruns:
        raise RequestError("; ".join(f"{label}: {said}" for label, said in not_run))
    _write(reruns, not_run, extra, command, output or reruns[0].root / FOLDER)
    return 2 if not_run else 1 if any(map(_speaks_against, reruns)) else 0


def _write(
    reruns: "Sequence[Rerun]",
    not_run: Sequence[tuple[str, str]],
    extra: Sequence[str],
    command: str,
    output: Path,
) -> None:
    from rich.console import Console

    from dlx.reproduce import ledger, page, terminal
    from dlx.run.paths import write_atomically

    commands = [command, *(shlex.join(["dlx", "train", *each.words]) for each in reruns)]
    written = ledger.write_ledger(reruns, not_run, extra, commands)
    output.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("ledger.csv", ledger.to_csv(reruns, extra)),
        ("ledger.md", page.render_markdown(written)),
        ("index.html", page.render(written)),
    ):
        write_atomically(output / name, text.encode(errors="backslashreplace"))
    terminal.show(Console(highlight=False), written, output / "index.html")


def _speaks_against(each: "Rerun") -> bool:
    refuted = any(line.verdict.word == "NOT REPRODUCED" for line in each.lines)
    return refuted or any(outcome.result is None for outcome in each.outcomes)
