"""The files beside the page: every table as Markdown and LaTeX, the summary as CSV, all of it as JSON."""

from collections.abc import Mapping
from pathlib import Path

from dlx.report.aggregate import Summary
from dlx.report.latex import to_latex
from dlx.report.load import Study
from dlx.report.report_json import to_json
from dlx.report.settings import Layout
from dlx.report.tables import Table, to_csv, to_markdown
from dlx.run.paths import write_atomically


def list_files(
    study: Study, layout: Layout, summary: Summary, facts: Mapping[str, object], tables: Mapping[str, Table]
) -> dict[str, str]:
    """Return each file's content by its name; `tables` by the name of their files, `facts` for the JSON."""
    texts = {"table.csv": to_csv(summary)}
    for name, table in tables.items():
        texts |= {f"{name}.md": to_markdown(table), f"{name}.tex": to_latex(table)}
    return texts | {"report.json": to_json(study, layout, summary, facts, tables)}


def write_files(folder: Path, texts: Mapping[str, str]) -> None:
    """Write each text whole or not at all; bytes of a folder's name that are no UTF-8 become escapes."""
    for name, text in texts.items():
        write_atomically(folder / name, text.encode(errors="backslashreplace"))
