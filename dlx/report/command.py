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
from dlx.report.folders import find_folders
from dlx.report.options import Options, add_options, chosen, find_setting
from dlx.report.text import visible
from dlx.run.paths import REPORT

if TYPE_CHECKING:
    from dlx.report.aggregate import Summary
    from dlx.report.comparison import Comparisons
    from dlx.report.load import Study
    from dlx.report.settings import Layout

PAGE = "index.html"
EVENTS = "tensorboard"


def main(arguments: list[str]) -> int:
    """Write the report and print its table; return 0.

    Raises RequestError if there is no such folder or no run in it that can be reported, OSError if the
    report cannot be written.
    """
    given = _parser().parse_args(arguments)
    options = chosen(given)
    folders = find_folders(given.folders)
    output = given.output or folders[0] / REPORT
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # "±" on a terminal that has only ASCII
    command = shlex.join(["dlx", "report", *arguments])
    if given.tensorboard:
        from dlx.report.event_files import check_installed

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
    study: "Study | None" = None,
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

    from dlx.report import aggregate, charts, files, listing, page, settings, tables, terminal, verdicts
    from dlx.report.comparison import compare
    from dlx.report.diagnosis import words
    from dlx.report.diagnosis.diagnose import diagnose
    from dlx.report.load import load
    from dlx.report.parameters import count_parameters
    from dlx.report.pictures.gallery import gallery

    options = options or Options()
    study = study or load(folders)
    _check_any(study, folders)
    layout = settings.lay_out(study.settings, options.by)
    summary = aggregate.aggregate(study, layout, options.metric)
    baseline = find_setting(layout, options.baseline) if options.baseline else None
    comparisons = compare(study, layout, summary, baseline=baseline, margin=options.margin)
    table = tables.tabulate(summary, layout, comparisons)
    finding = _finding(study, layout, summary, comparisons)
    diagnosis = diagnose(study, layout, summary)
    title = " + ".join(dict.fromkeys(folder.resolve().name for folder in folders))

    plots = output / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    charts.discard_earlier(plots)
    pictures = gallery(study, layout, summary)
    html = page.render(
        page.Page(
            title,
            finding,
            table,
            setting_columns=max(1, len(layout.keys)),
            sections={heading: charts.draw(each, plots) for heading, each in pictures.items()},
            parameters=count_parameters(study, layout, summary),
            comparisons=verdicts.list_comparisons(comparisons, layout),
            diagnosis=diagnosis,
            listing=listing.list_runs(study, layout, summary),
            command=command,
            refresh=refresh,
        )
    )
    facts = {"title": title, "finding": finding, "command": command}
    texts = files.list_files(study, layout, summary, facts, {"table": table})
    texts |= {"comparisons.csv": verdicts.comparisons_csv(comparisons, layout)}
    texts |= {"diagnosis.csv": words.to_csv(diagnosis)}
    files.write_files(output, texts | {PAGE: html})  # the page last, as its links lead to the others
    if events:
        from dlx.report.event_files import write_events

        write_events(study, layout, output / EVENTS)
    if not show:
        return
    console, place = Console(highlight=False), output / PAGE
    diagnosed = words.lines(diagnosis, layout)
    terminal.show(console, title, finding, table, study.left_out, place, diagnosed, study.running)
    if events:
        print(f"tensorboard --logdir {visible(shlex.quote(str(output / EVENTS)))}")


def _finding(study: "Study", layout: "Layout", summary: "Summary", comparisons: "Comparisons") -> str:
    from dlx.report.chance import weigh
    from dlx.report.findings import headline
    from dlx.report.held_out import held_out

    luck, looks = weigh(study, layout, summary), held_out(study, layout, summary)
    return headline(summary, comparisons, luck, looks)


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


def _check_any(study: "Study", folders: list[Path]) -> None:
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
