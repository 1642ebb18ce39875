"""A table as LaTeX for a paper: a `tabular` with the lines of the booktabs package, all text escaped.

It compiles with pdfLaTeX, XeLaTeX and LuaLaTeX in the default fonts, whatever a user has named things.
"""

import re
import unicodedata

from dlx.report.tables import Table

NUMBER = re.compile(r"(-?[\d,]*\.?\d+)(?:e([+-]\d+))?")
ESTIMATE = re.compile(rf"{NUMBER.pattern}(?: ± {NUMBER.pattern})?")
JOINED = re.compile(r"([-,])(?=\1)")  # -- becomes a dash and ,, a quotation mark
# Letters that TeX acts on, or draws as others (in its default encoding < is an upside-down !); a bracket or
# star that begins a row would be an argument of the line's end before it.
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
ACCENTS = {
    "\N{COMBINING GRAVE ACCENT}": "`",
    "\N{COMBINING ACUTE ACCENT}": "'",
    "\N{COMBINING CIRCUMFLEX ACCENT}": "^",
    "\N{COMBINING TILDE}": "~",
    "\N{COMBINING DIAERESIS}": '"',
    "\N{COMBINING MACRON}": "=",
    "\N{COMBINING DOT ABOVE}": ".",
    "\N{COMBINING BREVE}": "u",
    "\N{COMBINING CARON}": "v",
    "\N{COMBINING DOUBLE ACUTE ACCENT}": "H",
    "\N{COMBINING CEDILLA}": "c",
    "\N{COMBINING RING ABOVE}": "r",
}


def to_latex(table: Table) -> str:
    r"""Return the table as a `tabular`, to be read with `\input` where booktabs is loaded.

    Rules of columns (which epoch, which statistic) stand in rows of their own below the headings, since a
    number without its rule says more than the runs do. The notes are comments, to be put into a caption.
    """
    columns = "".join("r" if column.numeric else "l" for column in table.columns)
    rules = [column.rule.split(", ") if column.rule else [] for column in table.columns]
    deepest = max(map(len, rules), default=0)
    heads = [[escape(column.heading) for column in table.columns]]
    heads += [
        [rf"\footnotesize {escape(rule[depth])}" if depth < len(rule) else "" for rule in rules]
        for depth in range(deepest)
    ]
    rows = [
        [
            _number(cell) if column.numeric else escape(cell)
            for column, cell in zip(table.columns, row, strict=True)
        ]
        for row in table.rows
    ]
    return "\n".join(
        [
            "% Written by dlx report. In the preamble: \\usepackage{booktabs}",
            *(f"% {_line(note)}" for note in table.notes),
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


def escape(text: str) -> str:
    """Return text that LaTeX shows as it is; letters its default fonts lack are shown by their number."""
    return JOINED.sub(r"\1{}", "".join(map(_letter, unicodedata.normalize("NFC", text))))


def _letter(letter: str) -> str:
    if letter in LETTERS:
        return LETTERS[letter]
    if letter == " " or (letter.isascii() and letter.isprintable()):
        return letter
    base, mark = unicodedata.normalize("NFD", letter)[:1], unicodedata.normalize("NFD", letter)[1:]
    if base.isascii() and base.isalpha() and mark in ACCENTS:
        return rf"\{ACCENTS[mark]}{{{_dotless(base)}}}"
    return rf"\texttt{{U+{ord(letter):04X}}}"


def _dotless(base: str) -> str:
    """Write the i and j that carry an accent without their dot."""
    return rf"\{base}" if base in "ij" else base


def _number(cell: str) -> str:
    """Write "0.9 ± 0.1" or "1.5e-05" in mathematics, where a minus is one; other cells are text."""
    found = ESTIMATE.fullmatch(cell)
    if not found:
        return escape(cell)
    mean, mean_exponent, spread, spread_exponent = found.groups()
    parts = [_power(mean, mean_exponent), *([_power(spread, spread_exponent)] if spread else [])]
    return "$" + r" \pm ".join(parts) + "$"


def _power(digits: str, exponent: str | None) -> str:
    written = digits.replace(",", "{,}")
    return written if exponent is None else rf"{written} \times 10^{{{int(exponent)}}}"


def _row(cells: list[str]) -> str:
    return rf"{' & '.join(cells)} \\"


def _line(note: str) -> str:
    return " ".join(note.split())
