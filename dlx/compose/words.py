"""The words of a request as people type them: quotes what Hydra would misread, refuses what means nothing."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.types import Override

from dlx.compose.sweep import words_of
from dlx.errors import RequestError

# Nodes that a request has once, and no run: how it is executed, and what a preset adds to its grid.
OF_REQUEST = ("launcher", "grid", "cases")
# Keys that people know from Hydra, and what to write instead.
INSTEAD = {
    "hydra.launcher": "how runs are executed is the group launcher: launcher.processes=2, launcher=joblib",
    "hydra/launcher": "how runs are executed is the group launcher: launcher=local or launcher=joblib",
    "hydra.sweeper": "a preset's values are its keys grid and cases",
    "hydra.run": "results go to output_root=DIR name=STUDY",
    "hydra.sweep": "results go to output_root=DIR name=STUDY",
}
# A key whose value is a formula, without the marks and functions by which Hydra's grammar would read it.
FORMULA = re.compile(
    r"(loss\.function=)(?!(?:choice|range|interval|shuffle|sort|glob|tag|str)\()([^'\"$\\]+)"
)
BASELINE = re.compile(
    r"(\+*baseline=)([^'\"\\]*[=,][^'\"\\]*)"
)  # several words of their own: norm=none,lr=0.1
# Keys whose value is a name or a path of the user's own, of any characters.
NAME = re.compile(r"(\+*(?:name|slug)=)(.+)", re.DOTALL)
PATH = re.compile(r"(\+*(?:output_root|[\w.]+\.(?:root|path))=)(.+)", re.DOTALL)


def quote(word: str, root: Path | None = None) -> str:
    """Quote what Hydra's grammar would misread: formulas, a baseline's words, paths that begin with ~.

    So is a path that exists, below `root` or not, whatever characters are in it.
    """
    if (baseline := BASELINE.fullmatch(word)) is not None:
        return f'{baseline[1]}"{baseline[2]}"'
    if (path := PATH.fullmatch(word)) is not None:
        plain = re.fullmatch(r"[\w./-]*", path[2])
        whole = re.fullmatch(r"~[^'\",]*", path[2]) or (not plain and _exists(path[2], root))
        return f"{path[1]}{literal(path[2])}" if whole else word
    if (formula := FORMULA.fullmatch(word)) is None:
        return word
    outside = r",(?![^()]*\))"  # a comma in brackets is a mistake that the formula's own parser explains
    parts = [choice.strip() for choice in re.split(outside, formula[2])]
    return formula[1] + ",".join(part if re.fullmatch(r"\w+", part) else f'"{part}"' for part in parts)


def quote_all_of(word: str) -> str | None:
    """Return a word with its whole value quoted if that is a name or a path; None for other words."""
    text = NAME.fullmatch(word) or PATH.fullmatch(word)
    return f"{text[1]}{literal(text[2])}" if text else None


def literal(text: str) -> str:
    """Quote a text for Hydra, which takes a backslash for one only where no quote follows."""
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", text)
    trailing = len(escaped) - len(escaped.rstrip("\\"))
    return f"'{escaped}{chr(92) * trailing}'"


def _exists(text: str, root: Path | None) -> bool:
    try:
        path = Path(text).expanduser()
        return path.exists() or (root is not None and (root.expanduser() / path).exists())
    except (OSError, RuntimeError, ValueError):  # a name that is too long; the home of nobody; a zero byte
        return False


def check_words(given: Sequence[Override]) -> None:
    """Raise RequestError for a swept key that is given twice, and for what a request cannot have."""
    for override in given:
        key, word = override.key_or_group, override.input_line or ""
        once = key in ("sweep", *OF_REQUEST) or key.partition(".")[0] in OF_REQUEST
        if once and override.is_sweep_override() and len(words_of(override)) > 1:
            more = "; to cross two presets, write sweep=[seeds,width]" if key == "sweep" else ""
            raise RequestError(f"{word}: a request has one {key}{more}")
        if key in OF_REQUEST and override.is_delete():
            raise RequestError(f"{word}: {key} cannot be removed")
        if key == "sweep" and isinstance(override.value(), dict):
            raise RequestError(f"{word}: write the name of a preset, or several: sweep=[seeds,width]")
        if key.startswith("hydra") and key != "hydra.searchpath":
            known = next((INSTEAD[start] for start in INSTEAD if key.startswith(start)), None)
            raise RequestError(
                f"{word}: dlx does not use this setting of Hydra's{f'; {known}' if known else ''}"
            )
    counts = Counter(map(_key, given))
    for override in given:  # of two plain values the last one counts, as in a script that adds to its words
        if counts[_key(override)] > 1 and override.is_sweep_override():
            key = _key(override)
            raise RequestError(f"{override.input_line}: {key} is given twice; give it once, as {key}=A,B")


def _key(override: Override) -> str:
    """Return an override's key without the + that adds it."""
    return override.get_key_element().lstrip("+~")
