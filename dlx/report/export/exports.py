"""What `dlx report --export` writes beside the page, by the name of the format."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dlx.errors import RequestError
from dlx.report.analysis import Analysis
from dlx.report.formats import Table
from dlx.report.tables import comparisons_columns, settings_columns
from dlx.report.text import visible

Files = dict[str, bytes]


@dataclass(frozen=True)
class Content:
    """What is exported: the analysis, its title, the report's folder, and the table as it is shown."""

    analysis: Analysis
    title: str
    folder: Path
    table: Table


@dataclass(frozen=True)
class Export:
    """A format.

    `write` makes the files by their paths below the report's folder. `package`: the one that it needs, which
    the extra `extra` installs. `hint`: what to do with them, with the folder for {}.
    """

    write: Callable[[Content], Files]
    package: str = ""
    extra: str = ""
    hint: str = ""


def check_installed(names: tuple[str, ...]) -> None:
    """Raise RequestError if the package of a format is not installed."""
    for name in names:
        export = EXPORTS[name]
        if export.package and find_spec(export.package) is None:
            package = {"docx": "python-docx"}.get(export.package, export.package)
            raise RequestError(
                f"--export {name} needs the package {package}: pip install 'dlx[{export.extra}]'"
            )


def export_files(
    names: tuple[str, ...], analysis: Analysis, title: str, folder: Path, table: Table | None = None
) -> Files:
    """Return the files of these formats by their paths below `folder`; `table`: the one for Word."""
    files: Files = {}
    for name in names:
        files |= EXPORTS[name].write(Content(analysis, title, folder, table or analysis.table))
    return files


def hints(names: tuple[str, ...], folder: Path) -> list[str]:
    """Return the commands that open what was written."""
    return [
        EXPORTS[name].hint.format(visible(shlex.quote(str(folder / name))))
        for name in names
        if EXPORTS[name].hint
    ]


def _tensorboard(content: Content) -> Files:
    from dlx.report.export.tensorboard import event_files

    return _below("tensorboard", event_files(content.analysis))


def _mlflow(content: Content) -> Files:
    from dlx.report.export.mlflow import store_files

    return _below("mlflow", store_files(content.analysis, content.title, content.folder / "mlflow"))


def _wandb(content: Content) -> Files:
    from dlx.report.export.wandb import offline_runs

    return _below("wandb", offline_runs(content.analysis, content.title))


def _csv(content: Content) -> Files:
    from dlx.report.export.csv import runs_csv

    return {"runs.csv": runs_csv(content.analysis).encode(errors="backslashreplace")}


def _docx(content: Content) -> Files:
    from dlx.report.export.word import word_document

    return {"table.docx": word_document(content.title, content.analysis.answer.sentence, content.table)}


def _xlsx(content: Content) -> Files:
    from dlx.report.export.excel import workbook

    analysis = content.analysis
    runs = analysis.data.runs.drop(columns=["classes", "layers"]).reset_index()
    sheets = {
        "settings": settings_columns(analysis),
        "comparisons": comparisons_columns(analysis),
        "runs": (runs.columns, runs.itertuples(index=False, name=None)),
    }
    if not analysis.findings:
        del sheets["comparisons"]
    return {"table.xlsx": workbook(sheets)}


def _below(folder: str, files: Mapping[str, bytes]) -> Files:
    return {f"{folder}/{name}": content for name, content in files.items()}


EXPORTS = {
    "tensorboard": Export(_tensorboard, "tensorboard", "tensorboard", "tensorboard --logdir {}"),
    "mlflow": Export(_mlflow, hint="MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri {}"),
    "wandb": Export(_wandb, "wandb", "wandb", "wandb sync {}/offline-run-*"),
    "csv": Export(_csv),
    "docx": Export(_docx, "docx", "office"),
    "xlsx": Export(_xlsx, "openpyxl", "office"),
}
