"""`dlx report [DIR ...]`: load, aggregate, draw, write; pandas and the renderer are imported when it runs."""

import argparse
import io
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from dlx.errors import RequestError, nearest
from dlx.report.text import visible
from dlx.run.paths import REPORT, find_runs, newest_study, write_atomically

if TYPE_CHECKING:
    from dlx.report.load import Study

OUTPUTS = Path("outputs")


def main(arguments: list[str]) -> int:
    """Write the report and print its table; return 0.

    Raises RequestError if there is no such folder or no run in it that can be reported, OSError if the
    report cannot be written.
    """
    options = _parser().parse_args(arguments)
    folders = _folders(options.folders)
    output = options.output or folders[0] / REPORT
    report(folders, output, shlex.join(["dlx", "report", *arguments]))
    return 0


def report(folders: list[Path], output: Path, command: str) -> None:
    """Report the runs below `folders` into the folder `output`; `command` is quoted on the page."""
    from rich.console import Console

    from dlx.report import aggregate, charts, findings, listing, page, provenance, settings, tables, terminal
    from dlx.report.dossier import dossiers
    from dlx.report.load import load
    from dlx.report.page.data import page_data
    from dlx.report.page.script import libraries
    from dlx.report.parameters import count_parameters
    from dlx.report.pictures.gallery import gallery

    study = load(folders)
    _check_any(study, folders)
    bundle = ThreadPoolExecutor(max_workers=1).submit(libraries)  # a second, beside the drawing
    layout = settings.lay_out(study.settings)
    summary = aggregate.aggregate(study, layout)
    table = tables.tabulate(summary, layout)
    finding = findings.headline(summary)
    title = " + ".join(dict.fromkeys(folder.resolve().name for folder in folders))

    plots = output / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    charts.discard_earlier(plots)
    pictures = gallery(study, layout, summary)
    sections = {heading: charts.draw(each, plots) for heading, each in pictures.items()}
    html = page.render(
        page.Page(
            title,
            finding,
            table,
            setting_columns=max(1, len(layout.keys)),
            sections=sections,
            parameters=count_parameters(study, layout, summary),
            listing=listing.list_runs(study, layout, summary),
            command=command,
            provenance=provenance.describe(study, layout, summary),
            live=page_data(study, layout, summary, sections, dossiers(study, layout, summary, None, output)),
            libraries=bundle.result(),
        )
    )
    _write(
        output,
        {"table.csv": tables.to_csv(summary), "table.md": tables.to_markdown(table), "index.html": html},
    )
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # "±" on a terminal that has only ASCII
    terminal.show(Console(highlight=False), title, finding, table, study.left_out, output / "index.html")


def _write(output: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        # A folder's name may hold bytes that are no UTF-8; they are written as escapes.
        write_atomically(output / name, text.encode(errors="backslashreplace"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dlx report",
        description="Summarise runs: a table in the terminal; table.csv, table.md, plots/ and one index.html "
        "that opens offline in DIR/report/.",
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
        "--output", metavar="DIR", type=Path, help="write here (default: report/ in the first DIR)"
    )
    return parser


def _folders(given: list[Path]) -> list[Path]:
    if not given:
        newest = newest_study(OUTPUTS)
        if newest is None:
            raise RequestError(
                f"there is no run under {OUTPUTS}/; train one with `dlx train`, or name a folder"
            )
        return [newest]
    for folder in given:
        if not folder.is_dir():
            raise RequestError(f"there is no folder '{visible(str(folder))}'{visible(_hint(folder))}")
    return given


def _hint(folder: Path) -> str:
    """Point at the study that was meant: one beside `folder` or under outputs/ with a similar name."""
    studies = {
        each.name: str(each)
        for parent in (folder.parent, OUTPUTS)
        if parent.is_dir()
        for each in sorted(parent.iterdir())
        if each.is_dir() and next(iter(find_runs(each)), None)
    }
    hint = nearest(folder.name, studies)
    for name, path in studies.items():
        hint = hint.replace(f"'{name}'", f"'{path}'")
    return hint


def _check_any(study: "Study", folders: list[Path]) -> None:
    if not study.runs.empty:
        return
    where = visible(" or ".join(str(folder) for folder in folders))
    if not study.left_out:
        raise RequestError(f"there is no run in {where} (a run's folder holds .hydra/config.yaml)")
    run, reason = next(iter(study.left_out.items()))
    raise RequestError(
        f"none of the {len(study.left_out)} runs in {where} can be reported; "
        f"the first, {visible(run)}: {visible(reason)}"
    )
