"""The table of settings as a Word document, through python-docx (the extra `word`)."""

import io

from dlx.report.formats import Table


def word_document(title: str, answer: str, table: Table) -> bytes:
    """Return a .docx file: the title, the answer, the table with its columns' rules, and its notes."""
    import docx
    from docx.enum.text import WD_ALIGN_PARAGRAPH

    document = docx.Document()
    document.add_heading(_xml(title), level=1)
    document.add_paragraph(_xml(answer))
    grid = document.add_table(rows=1 + len(table.rows), cols=len(table.columns))
    grid.style = "Light List"
    headings = [f"{each.heading}\n{each.rule}" if each.rule else each.heading for each in table.columns]
    for cells, row in zip([headings, *table.rows], grid.rows, strict=True):
        for text, cell, column in zip(cells, row.cells, table.columns, strict=True):
            cell.text = _xml(text)
            if column.numeric:
                cell.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.RIGHT
    for note in table.notes:
        document.add_paragraph(_xml(note))
    content = io.BytesIO()
    document.save(content)
    return content.getvalue()


def _xml(text: str) -> str:
    """Leave out the control characters that XML cannot hold."""
    return "".join(each for each in text if each == "\n" or each.isprintable())
