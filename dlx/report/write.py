"""Writes a report: loads and analyses the runs, writes the page and the files beside it, prints the table."""

import shlex
from pathlib import Path

from dlx.errors import RequestError
from dlx.report import analysis, files, terminal
from dlx.report.load import StudyData, load_study
from dlx.report.options import Options
from dlx.report.page.render import render_page
from dlx.report.text import visible

PAGE = "index.html"
EVENTS = "tensorboard"


def write_report(
    folders: list[Path],
    output: Path,
    command: str,
    study: StudyData | None = None,
    *,
    options: Options | None = None,
    events: bool = False,
    refresh: int | None = None,
    show: bool = True,
) -> None:
    """Report the runs below `folders` into the folder `output`; `command` is quoted on the page.

    `study`: their runs, if they have been read already. `events`: write TensorBoard's files. `refresh`:
    seconds after which the page reloads itself. `show`: print the table. Raises RequestError if no run can
    be reported.
    """
    from rich.console import Console

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


def _check_any(study: StudyData, folders: list[Path]) -> None:
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
