"""The settings, the comparisons and the runs as an Excel workbook, through openpyxl (the extra `excel`)."""

import io
import math
from collections.abc import Iterable, Mapping
from typing import Any

LONGEST = 32_000  # letters of a cell; Excel's limit is 32,767
WIDEST = 40


def workbook(sheets: Mapping[str, tuple[Iterable[object], Iterable[Iterable[Any]]]]) -> bytes:
    """Return an .xlsx file with a sheet for each table, given as its columns and rows, by name.

    Numbers have full precision; missing ones are empty. Text is text: none of it runs as a formula.
    """
    import openpyxl
    from openpyxl.styles import Font

    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, (columns, rows) in sheets.items():
        sheet = book.create_sheet(name)
        for number, row in enumerate([list(columns), *rows], start=1):
            for place, value in enumerate(row, start=1):
                _fill(sheet.cell(number, place), value)
        for cell in sheet[1]:
            cell.font = Font(bold=True)
            sheet.column_dimensions[cell.column_letter].width = min(WIDEST, max(8, len(str(cell.value)) + 2))
        sheet.freeze_panes = "A2"
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _fill(cell: Any, value: Any) -> None:
    value = value.item() if hasattr(value, "item") else value
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return
    if isinstance(value, bool | int | float):
        cell.value = value
        return
    cell.value = "".join(each for each in str(value) if each.isprintable())[:LONGEST]
    cell.data_type = "s"  # openpyxl would take "=..." for a formula
