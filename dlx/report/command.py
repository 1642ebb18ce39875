"""`dlx report [DIR ...]`: load, aggregate, draw, write; pandas and the renderer are imported when it runs."""

import argparse
import io
import math
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dlx.errors import RequestError
from dlx.report.options import Options, add_options, chosen
from dlx.report.text import visible
from dlx.run.paths import REPORT

if TYPE_CHECKING:
    from dlx.report.load import StudyData

PAGE = "index.html"
EVENTS = "tensorboard"


def main(arguments: list[str]) -> int:
    """Write the report and print its table; return 0.

    Raises RequestError if there is no such folder or no run in it that can be reported, OSError if the
    report cannot be written.
    """
    given = _parser().parse_args(arguments)
    from dlx.report.load import find_folders

    options = chosen(given)
    folders = find_folders(given.folders)
    output = given.output or folders[0] / REPORT
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # "±" on a terminal that has only ASCII
    command = shlex.join(["dlx", "report", *arguments])
    if given.tensorboard:
        from dlx.report.tensorboard import check_installed

        check_installed()
    write = partial(report, folders, output, command, options=options, events=given.tensorboard)
    if given.watch is None:
        write()
        return 0
    from dlx.report.watch import watch

    return watch(folders, write, output / PAGE, given.watch)


def report(
    folders: list[Path],
    output: Path,
    command: str,
    study: "StudyData | None" = None,
    *,
    options: Options | None = None,
    events: bool = False,
    refresh: int | None = None,
    show: bool = True,
) -> None:
    """Report the runs below `folders` into the folder `output`; `command` is quoted on the page.

    `study`: what has been read of them already. `options`: what is compared. `events`: whether TensorBoard's
    files are written. `refresh`: seconds after which the page reloads itself. `show`: whether the table is
    printed.
    """
    from rich.console import Console

    from dlx.report import analysis, files, terminal
    from dlx.report.load import load_study
    from dlx.report.page.render import render_page

    study = study or load_study(folders)
    _check_any(study, folders)
    title = " + ".join(dict.fromkeys(folder.resolve().name for folder in folders))
    results = analysis.analyse(study, options or Options())
    html = render_page(results, output, title, command, refresh)
    texts = files.list_files(results, {"title": title, "command": command})
    files.write_files(output, texts | {PAGE: html})  # the page last, as its links lead to the others
    if events:
        from dlx.report.tensorboard import write_events

        write_events(results, output / EVENTS)
    if not show:
        return
    terminal.print_report(Console(highlight=False), results, title, output / PAGE)
    if events:
        print(f"tensorboard --logdir {visible(shlex.quote(str(output / EVENTS)))}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dlx report",
        usage="dlx report [DIR ...] [--watch [SECONDS]] [--tensorboard] [--output DIR]",
        description="Summarise runs: a table in the terminal; in DIR/report/ one index.html that opens "
        "offline, the table as CSV, Markdown and LaTeX, report.json, and plots/ as SVG, PNG and PDF.",
        epilog="Example: dlx report outputs/demo",
    )
    parser.add_argument(
        "folders",
        metavar="DIR",
        nargs="*",
        type=Path,
        help="a study or any folder with runs in it; several are reported together (default: the study under "
        "outputs/ that was written to last)",
    )
    parser.add_argument(
        "--watch",
        metavar="SECONDS",
        nargs="?",
        type=_seconds,
        const=10.0,
        help="renew the report while runs train, looking every SECONDS (default: 10), until all have "
        "ended or Ctrl-C; the page reloads itself meanwhile",
    )
    parser.add_argument(
        "--tensorboard",
        action="store_true",
        help="write event files for TensorBoard, too, in tensorboard/ beside the page (needs the extra "
        "dlx[tensorboard])",
    )
    parser.add_argument(
        "--output", metavar="DIR", type=Path, help="write here (default: report/ in the first DIR)"
    )
    add_options(parser)
    return parser


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of seconds above 0; folders come first")
    return seconds


def _check_any(study: "StudyData", folders: list[Path]) -> None:
    if not study.runs.empty:
        return
    where = visible(" or ".join(str(folder) for folder in folders))
    unended = study.running | study.left_out
    if not unended:
        raise RequestError(f"there is no run in {where} (a run's folder holds .hydra/config.yaml)")
    run, reason = next(iter(unended.items()))
    raise RequestError(
        f"none of the {len(unended)} runs in {where} can be reported; "
        f"the first, {visible(run)}: {visible(reason)}"
    )
