"""Tables for Word, Excel and papers, as their own readers find them."""

import io
from pathlib import Path
from typing import Any

import pytest

from dlx.commands.report import main
from dlx.errors import RequestError
from dlx.report.columns import choose_columns
from dlx.report.export import exports
from dlx.report.export.exports import export_files


def test_word_gets_the_table_with_the_columns_that_were_chosen(study: Any, tmp_path: Path) -> None:
    docx = pytest.importorskip("docx")
    analysis = study.two_optimizers()
    table = choose_columns(analysis.table, ["optimizer", "val_accuracy", "val_accuracy_best"])
    files = export_files(("docx",), analysis, "a title", tmp_path, table)
    document = docx.Document(io.BytesIO(files["table.docx"]))
    cells = [[cell.text for cell in row.cells] for row in document.tables[0].rows]
    assert [text.partition("\n")[0] for text in cells[0]] == ["optimizer", "val accuracy", "val accuracy"]
    assert cells[1:] == table.rows
    assert analysis.answer.sentence in [paragraph.text for paragraph in document.paragraphs]


def test_excel_gets_numbers_at_full_precision_and_no_formulas(study: Any, tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    analysis = study.hostile_norms()
    files = export_files(("xlsx",), analysis, "a title", tmp_path)
    book = openpyxl.load_workbook(io.BytesIO(files["table.xlsx"]))
    assert book.sheetnames == ["settings", "comparisons", "runs"]
    header, *rows = book["settings"].iter_rows(values_only=True)
    means = [row[header.index("val_accuracy_last_mean")] for row in rows]
    assert means == analysis.summary.table["val_accuracy_last_mean"].tolist()
    kinds = {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row}
    assert "f" not in kinds
    assert "=cmd|'/C calc'!A0" in [row[header.index("model.norm")] for row in rows]


def test_the_columns_of_the_latex_table_can_be_chosen(study: Any) -> None:
    study.two_optimizers()
    assert main([str(study.folder), "--columns", "optimizer,val_loss,runs"]) == 0
    text = (study.folder / "report" / "table.tex").read_text()
    assert r"\begin{tabular}{lrr}" in text
    with pytest.raises(RequestError, match="no column 'val_los'; did you mean 'val_loss'"):
        main([str(study.folder), "--columns", "optimizer,val_los"])


@pytest.mark.parametrize(
    ("name", "package"), [("docx", "python-docx"), ("xlsx", "openpyxl"), ("wandb", "wandb")]
)
def test_a_missing_package_is_named_before_anything_is_written(
    name: str, package: str, study: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.run("a", study.curve(0.5))
    monkeypatch.setattr(exports, "find_spec", lambda name: None)
    with pytest.raises(RequestError, match=rf"--export {name} needs the package {package}: pip install 'dlx"):
        main([str(study.folder), "--export", name])
    assert not (study.folder / "report").exists()


def test_every_offered_format_exists() -> None:
    from dlx.commands.report import FORMATS

    assert set(FORMATS) == set(exports.EXPORTS)
