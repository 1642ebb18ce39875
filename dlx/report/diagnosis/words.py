"""A diagnosis for the terminal, in a few lines, and as a table at full precision."""

from collections.abc import Sequence

from dlx.report.design import Design
from dlx.report.diagnosis.finding import Diagnosis, Finding
from dlx.report.formats import write_csv
from dlx.report.text import visible, write_count

SEVERAL = 2  # settings with one finding that get a line each; more share one
COLUMNS = ("kind", "scope", "subject", "severity", "sentence", "numbers")


def alone(diagnosis: Diagnosis, layout: Design) -> list[Finding]:
    """Return the findings of runs that no finding of their setting covers (a mixed one counts by kind)."""
    of_settings = [one for one in diagnosis.findings if one.scope == "setting"]
    covered = {(kind, one.subject) for one in of_settings for kind in (one.kind, *one.numbers)}
    return [
        one
        for one in diagnosis.findings
        if one.scope == "run" and (one.kind, layout.labels[layout.of_run[one.subject]]) not in covered
    ]


def lines(diagnosis: Diagnosis, layout: Design, most: int = 8) -> list[str]:
    """Write the most important findings, problems first, at most `most` lines.

    What more than two settings share, or several single runs, takes one line: the first by name (of settings
    the best, since they come in the table's order) and how many more.
    """
    shown = [*(one for one in diagnosis.findings if one.scope != "run"), *alone(diagnosis, layout)]
    groups: dict[tuple[str, str], list[Finding]] = {}
    for one in shown:
        groups.setdefault((one.scope, one.kind), []).append(one)
    written = [pair for (scope, _), group in groups.items() for pair in _lines(scope, group)]
    written.sort(key=lambda pair: not pair[0])
    texts = [text for _, text in written]
    if len(texts) <= most:
        return texts
    return [*texts[: most - 1], f"and {len(texts) - most + 1} more on the page"]


def _lines(scope: str, group: Sequence[Finding]) -> list[tuple[bool, str]]:
    """Return (whether it is a problem, text) of findings of one kind."""
    serious = any(one.severity == "problem" for one in group)
    if scope == "sweep":
        return [(one.severity == "problem", one.sentence) for one in group]
    if scope == "setting" and len(group) <= SEVERAL:
        return [(one.severity == "problem", f"{visible(one.subject)}: {one.sentence}") for one in group]
    more = f" (and {write_count(len(group) - 1, f'more {scope}')})" if len(group) > 1 else ""
    return [(serious, f"{visible(group[0].subject)}{more}: {group[0].sentence}")]


def to_csv(diagnosis: Diagnosis) -> str:
    """Return a row a finding, `numbers` as JSON, and a row for everything that could not be checked."""
    rows: list[tuple[object, ...]] = [
        (one.kind, one.scope, visible(one.subject), one.severity, one.sentence, dict(one.numbers))
        for one in diagnosis.findings
    ]
    rows += [(kind, "", "", "unchecked", reason, None) for kind, reason in diagnosis.unchecked]
    return write_csv(COLUMNS, rows)
