"""A table of text, and its forms: GitHub's Markdown, LaTeX for a paper, and CSV at full precision.

LaTeX uses the lines of the booktabs package and escapes all text. It compiles with pdfLaTeX, XeLaTeX and
LuaLaTeX in the default fonts, whatever names the user has given.
"""

import csv
import io
import json
import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

NUMBER = re.compile(r"(-?[\d,]*\.?\d+)(?:e([+-]\d+))?")
ESTIMATE = re.compile(rf"{NUMBER.pattern}(?: ± {NUMBER.pattern})?")
JOINED = re.compile(r"([-,])(?=\1)")  # TeX turns -- into a dash and ,, into a quotation mark
# Characters that TeX interprets, or prints as others (in its default encoding < is an upside-down !). A
# bracket or star at the start of a row would become an argument of the line break before it.
LETTERS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\texttt{\char34}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "[": "{[}",
    "*": "{*}",
    "±": r"$\pm$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "µ": r"$\mu$",
    "°": r"$^\circ$",
    "²": r"$^2$",
    "\N{EN DASH}": r"\textendash{}",
    "\N{EM DASH}": r"\textemdash{}",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
}
# Grave, acute, circumflex, tilde, diaeresis, macron, dot, breve, caron, double acute, cedilla, ring.
COMBINING = "\u0300\u0301\u0302\u0303\u0308\u0304\u0307\u0306\u030c\u030b\u0327\u030a"
ACCENTS = dict(zip(COMBINING, "`'^~\"=.uvHcr", strict=True))


@dataclass(frozen=True)
class Column:
    """A column of text. `rule`: which epoch and statistic its numbers are, in parts separated by ", ".

    `rank`: a narrow terminal drops the highest ranks first, and never rank 0.
    """

    heading: str
    rule: str = ""
    rank: int = 0
    numeric: bool = False


@dataclass(frozen=True)
class Table:
    """Cells of text, one list per row, in the order of `columns`; `notes`: how to read them."""

    columns: list[Column]
    rows: list[list[str]]
    notes: list[str] = field(default_factory=list)


def to_markdown(table: Table) -> str:
    """Return the table in GitHub's Markdown, with text escaped."""
    headings = [
        f"{column.heading} ({column.rule})" if column.rule else column.heading for column in table.columns
    ]
    rules = ["--:" if column.numeric else ":--" for column in table.columns]
    rows = [[_escape_markdown(cell) for cell in row] for row in [headings, *table.rows]]
    lines = [f"| {' | '.join(cells)} |" for cells in [rows[0], rules, *rows[1:]]]
    return "\n".join([*lines, "", *(f"{note}\n" for note in table.notes)])


def _escape_markdown(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{letter}" if letter in "\\|`*[" else letter for letter in text)


def to_latex(table: Table) -> str:
    r"""Return the table as a `tabular`, for `\input` in a document that loads booktabs.

    The rules of columns (which epoch, which statistic) get rows of their own below the headings. The notes
    are comments, for the caption.
    """
    columns = "".join("r" if column.numeric else "l" for column in table.columns)
    rules = [column.rule.split(", ") if column.rule else [] for column in table.columns]
    deepest = max(map(len, rules), default=0)
    heads = [[escape_latex(column.heading) for column in table.columns]]
    heads += [
        [rf"\footnotesize {escape_latex(rule[depth])}" if depth < len(rule) else "" for rule in rules]
        for depth in range(deepest)
    ]
    rows = [
        [
            _number(cell) if column.numeric else escape_latex(cell)
            for column, cell in zip(table.columns, row, strict=True)
        ]
        for row in table.rows
    ]
    return "\n".join(
        [
            "% Written by dlx report. In the preamble: \\usepackage{booktabs}",
            *(f"% {' '.join(note.split())}" for note in table.notes),
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            *(_row(cells) for cells in heads),
            r"\midrule",
            *(_row(cells) for cells in rows),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def escape_latex(text: str) -> str:
    """Return text that LaTeX prints as it is; letters that its default fonts lack are printed by number."""
    return JOINED.sub(r"\1{}", "".join(map(_letter, unicodedata.normalize("NFC", text))))


def _letter(letter: str) -> str:
    if letter in LETTERS:
        return LETTERS[letter]
    if letter == " " or (letter.isascii() and letter.isprintable()):
        return letter
    base, *marks = list(unicodedata.normalize("NFD", letter))
    if base.isascii() and base.isalpha() and len(marks) == 1 and marks[0] in ACCENTS:
        dotless = rf"\{base}" if base in "ij" else base  # as i and j are under an accent
        return rf"\{ACCENTS[marks[0]]}{{{dotless}}}"
    return rf"\texttt{{U+{ord(letter):04X}}}"


def _number(cell: str) -> str:
    """Write "0.9 ± 0.1" or "1.5e-05" as a formula, for a proper minus sign; other cells are text."""
    found = ESTIMATE.fullmatch(cell)
    if not found:
        return escape_latex(cell)
    mean, mean_exponent, spread, spread_exponent = found.groups()
    parts = [_power(mean, mean_exponent), *([_power(spread, spread_exponent)] if spread else [])]
    return "$" + r" \pm ".join(parts) + "$"


def _power(digits: str, exponent: str | None) -> str:
    written = digits.replace(",", "{,}")
    return written if exponent is None else rf"{written} \times 10^{{{int(exponent)}}}"


def _row(cells: list[str]) -> str:
    return rf"{' & '.join(cells)} \\"


def write_csv(columns: Iterable[object], rows: Iterable[Iterable[Any]]) -> str:
    """Return a table as CSV at full precision; None and NaN are empty, and no text can run as a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_guard(str(name)) for name in columns)
    writer.writerows(_csv_cells(row) for row in rows)
    return text.getvalue()


def _csv_cells(row: Iterable[Any]) -> list[str]:
    cells = []
    for value in row:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            cells.append("")
        elif isinstance(value, str):
            cells.append(_guard(value))
        elif isinstance(value, bool | list | dict):
            cells.append(json.dumps(value))
        else:
            cells.append(str(value))
    return cells


def _guard(text: str) -> str:
    """Prevent spreadsheets from running text as a formula (OWASP, "CSV injection")."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text
