"""The files beside the page: every table as Markdown and LaTeX, the summary as CSV, all of it as JSON."""

from collections.abc import Mapping
from pathlib import Path

from dlx.report.analysis import Analysis
from dlx.report.diagnosis.finding import diagnosis_csv
from dlx.report.latex import to_latex
from dlx.report.report_json import to_json
from dlx.report.tables import to_csv, to_markdown
from dlx.report.verdicts import comparisons_csv, list_comparisons
from dlx.run.paths import write_atomically


def list_files(analysis: Analysis, facts: Mapping[str, object]) -> dict[str, str]:
    """Return each file's content by its name; `facts` go into the JSON, too."""
    study, layout, summary = analysis.data, analysis.design, analysis.summary
    tables = {"table": analysis.table, "comparisons": list_comparisons(analysis.comparisons, layout)}
    texts = {
        "table.csv": to_csv(summary),
        "comparisons.csv": comparisons_csv(analysis.comparisons, layout),
        "diagnosis.csv": diagnosis_csv(analysis.diagnosis),
    }
    for name, table in tables.items():
        if table.rows:
            texts |= {f"{name}.md": to_markdown(table), f"{name}.tex": to_latex(table)}
    facts = {**facts, "finding": analysis.headline}
    return texts | {"report.json": to_json(study, layout, summary, facts, tables)}


def write_files(folder: Path, texts: Mapping[str, str]) -> None:
    """Write each text whole or not at all; bytes of a folder's name that are no UTF-8 become escapes."""
    for name, text in texts.items():
        write_atomically(folder / name, text.encode(errors="backslashreplace"))
