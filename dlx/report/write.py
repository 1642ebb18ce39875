"""Writes a report: the page, tables as CSV, Markdown and LaTeX, and everything as JSON; prints the table."""

import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx import __version__
from dlx.errors import RequestError
from dlx.importers.foreign_run import KNOWN
from dlx.report.analysis import Analysis, Options, analyse
from dlx.report.any_text import any_text
from dlx.report.columns import choose_columns
from dlx.report.diagnosis.finding import diagnosis_csv
from dlx.report.export.exports import export_files, hints
from dlx.report.export.tensorboard import EVENTS
from dlx.report.formats import Table, to_latex, to_markdown
from dlx.report.kept_charts import earlier_charts
from dlx.report.load import LISTS, StudyData, load_any
from dlx.report.page.render import PLOTS, render_page
from dlx.report.replace import replace_files
from dlx.report.tables import comparisons_csv, comparisons_table, settings_csv
from dlx.report.terminal import print_report
from dlx.report.text import visible
from dlx.stats.intervals import LEVEL
from dlx.working import working

if TYPE_CHECKING:
    import pandas as pd

    from dlx.report.export.width import Width
    from dlx.study.looks import Looks

PAGE = "index.html"
FINDINGS = ("comparisons.csv", "comparisons.md", "comparisons.tex", "diagnosis.csv")  # hold conclusions only
FORMAT = 2  # of report.json; increases when a key is removed or changes its meaning


@any_text()
def write_report(
    folders: list[Path],
    output: Path,
    command: str,
    study: StudyData | None = None,
    *,
    options: Options,
    exports: tuple[str, ...] = (),
    columns: tuple[str, ...] = (),
    refresh: int | None = None,
    show: bool = True,
    details: bool = False,
    looks: "Looks | None" = None,
    width: "Width | None" = None,
) -> Analysis:
    """Report the runs below `folders` into the folder `output`, and return what was computed.

    The page quotes `command`.

    `study`: their runs, if they have been read already. `exports`: formats to write besides. `columns`: of
    the table for papers. `refresh`: seconds after which the page reloads itself. `show`: print the report,
    and what is behind it if `details`. `looks`: those of the study, which decide the level of the tests; this
    one is added. `width`: also write the plots for print, this wide. Raises RequestError if no run can
    be reported.
    """
    from rich.console import Console

    with working("reading the runs", show=show) as say:
        study = study or load_any(folders)
        if study.runs.empty:
            raise _no_run(study, folders)
        say(f"comparing {len(study.runs)} runs")
        title = " + ".join(dict.fromkeys(folder.resolve().name for folder in folders))
        level = looks.level(study.settings.values()) if looks else LEVEL
        analysis = analyse(study, options, level, looks.level_with_more() if looks else LEVEL)
        paper = choose_columns(analysis.table, columns)
        say("drawing the plots")
        html, plots = render_page(analysis, output, title, command, refresh)
    # Bytes of names that are not UTF-8 become escapes.
    texts = {
        name: text.encode(errors="backslashreplace")
        for name, text in _texts(analysis, title, command, paper).items()
    }
    exported, obsolete = (
        export_files(exports, analysis, title, output, paper),
        list(earlier_charts(output / PLOTS)),
    )
    if width:
        with working(f"drawing plots for print ({width.word})", show=show):
            from dlx.report.export.figures import FOLDER, figures

            exported |= figures(analysis, width)
        obsolete += earlier_charts(output / FOLDER)
    if "tensorboard" in exports:
        obsolete += (output / "tensorboard").rglob(EVENTS)
    if not analysis.findings:
        obsolete += [output / name for name in FINDINGS]
    # The page last, as it links to the others.
    page = {PAGE: html.encode(errors="backslashreplace")}
    replace_files(output, plots | exported | texts | page, obsolete)
    if looks:
        looks.record()
    if show:
        console = Console(highlight=False)
        if study.source:
            console.print(study.source, markup=False, end="\n\n")
        print_report(console, analysis, title, output / PAGE, details=details)
        if width:
            print(f"plots for print ({width.word}): {visible(str(output / FOLDER))}/")
        for hint in hints(exports, output):
            print(hint)
    return analysis


def _no_run(study: StudyData, folders: list[Path]) -> RequestError:
    where = visible(" or ".join(str(folder) for folder in folders))
    unended = study.left_out | study.running  # a reason that needs action comes first
    if not unended:
        return RequestError(f"there is no run in {where} (dlx reads {KNOWN})")
    run, reason = next(iter(unended.items()))
    may_go_on = run in study.running or "interrupted" in reason
    go_on = "; unless it still trains, repeat the command that trained it" if may_go_on else ""
    return RequestError(
        f"none of the {len(unended)} runs in {where} can be reported; "
        f"the first, {visible(run)}: {visible(reason)}{go_on}"
    )


def _texts(analysis: Analysis, title: str, command: str, paper: Table) -> dict[str, str]:
    """Return the files beside the page: each one's text by its name; `paper`: the table for papers."""
    tables = {"table": analysis.table}
    if analysis.findings:
        tables["comparisons"] = comparisons_table(analysis)
    texts = {"table.csv": settings_csv(analysis)}
    if analysis.findings:
        texts |= {
            "comparisons.csv": comparisons_csv(analysis),
            "diagnosis.csv": diagnosis_csv(analysis.diagnosis),
        }
    for name, table in (tables | {"table": paper}).items():
        if table.rows:
            texts |= {f"{name}.md": to_markdown(table), f"{name}.tex": to_latex(table)}
    facts = {"title": title, "command": command}
    return texts | {"report.json": report_json(analysis, facts, tables)}


def report_json(analysis: Analysis, facts: Mapping[str, object], tables: Mapping[str, Table]) -> str:
    """Return the report as strict JSON: `facts`, the answer, settings best first, runs, and the tables.

    `settings` has the columns of table.csv, with the swept values under `values`. Each of `runs` names its
    setting by `setting`, an index into that list. Numbers have full precision; missing ones are null.
    """
    data, design, summary = analysis.data, analysis.design, analysis.summary
    report = {
        "format": FORMAT,
        **facts,
        "answer": _answer(analysis),
        "written": datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": {
            "dlx": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "pandas", "vl-convert-python")},
            "torch_of_runs": sorted(data.runs["torch"].dropna().unique()),
        },
        "metric": summary.metric,
        "higher_is_better": summary.higher,
        "monitor": summary.monitor or None,
        "settings": [
            {"values": design.rows[int(row.pop("setting"))]}
            | {key: value for key, value in row.items() if key not in design.keys}
            for row in _rows(summary.table)
        ],
        "runs": [
            {"run": row.pop("run"), "setting": summary.ranks[design.of_run[run]]}
            | {"seeds": {key: data.settings[run].get(key) for key in design.seeds}}
            | row
            for run, row in zip(
                data.runs.index, _rows(data.runs.drop(columns=LISTS).reset_index()), strict=True
            )
        ],
        "equal_in_all_runs": design.shared,
        "source": data.source or None,
        "running": data.running,
        "left_out": data.left_out,
        "tables": {
            name: {
                "columns": [
                    ", ".join(filter(None, (column.heading, column.rule))) for column in table.columns
                ],
                "rows": table.rows,
                "notes": table.notes,
            }
            for name, table in tables.items()
        },
    }
    return json.dumps(_strict(report), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _answer(analysis: Analysis) -> dict[str, object]:
    """Return the answer with its groups by label, best first."""
    answer, labels = analysis.answer, analysis.design.labels
    return asdict(answer) | {"groups": {labels[setting]: group for setting, group in answer.groups.items()}}


def _rows(frame: "pd.DataFrame") -> list[dict[Any, Any]]:
    return frame.astype("object").to_dict(orient="records")


def _strict(value: Any) -> Any:
    """Return what JSON can hold: NumPy's numbers as Python's, and null for NaN and infinity.

    Bytes of names that are not UTF-8, which Python holds as half surrogate pairs, become escapes.
    """
    if isinstance(value, Mapping):
        return {_strict(str(key)): _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
