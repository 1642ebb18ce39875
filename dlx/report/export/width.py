"""The width of a plot in print, from a length or a journal's name."""

import re
from dataclasses import dataclass

from dlx.errors import RequestError, nearest

UNITS = {"mm": 1.0, "cm": 10.0, "in": 25.4, "pt": 25.4 / 72, "px": 25.4 / 96}  # millimetres
# Widths of a column and of the text, in millimetres: from the instructions for authors and the LaTeX classes.
JOURNALS = {
    "nature": 89.0,
    "nature-double": 183.0,
    "science": 57.0,
    "science-double": 121.0,
    "pnas": 87.0,
    "pnas-double": 178.0,
    "ieee": 88.9,
    "ieee-double": 181.9,
    "elsevier": 90.0,
    "elsevier-double": 190.0,
    "icml": 82.55,
    "icml-double": 171.45,
    "neurips": 139.7,
    "iclr": 139.7,
}
NARROWEST, WIDEST = 50.0, 400.0  # millimetres


@dataclass(frozen=True)
class Width:
    """A width in millimetres, and the word it was given as."""

    word: str
    mm: float

    @property
    def points(self) -> float:
        """The width in points, 72 an inch."""
        return self.mm / UNITS["pt"]


def read_width(word: str) -> Width:
    """Return the width that a word stands for. Raises RequestError with what is allowed."""
    if word in JOURNALS:
        return Width(word, JOURNALS[word])
    found = re.fullmatch(r"(\d{1,4}(?:\.\d{1,4})?) ?(mm|cm|in|pt|px)", word.strip().lower(), re.ASCII)
    if found is None:
        raise RequestError(
            f"'{word}' is not a length with its unit, such as 89mm, 3.5in, 252pt or 336px, nor one of "
            f"{', '.join(JOURNALS)}{nearest(word, JOURNALS)}"
        )
    mm = float(found[1]) * UNITS[found[2]]
    if not NARROWEST <= mm <= WIDEST:
        raise RequestError(f"'{word}' is not between {NARROWEST:g}mm and {WIDEST:g}mm")
    return Width(word, mm)
