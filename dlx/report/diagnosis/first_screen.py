"""The findings for the first screen: those that change what a reader does next."""

from collections.abc import Sequence

from dlx.report.diagnosis.finding import SEVERITIES, Diagnosis, Finding
from dlx.report.diagnosis.grid_edges import EDGE
from dlx.report.diagnosis.importance import IMPORTANCE
from dlx.report.diagnosis.ranking import KIND as RANKING
from dlx.report.diagnosis.stability import FAILING


def most_important(diagnosis: Diagnosis, most: int = 3) -> list[Finding]:
    """Return at most `most` findings, no two of a kind, by what they change for the reader.

    1. A problem of the best setting: its score is not what it could be, so it is trained again first.
    2. An edge of the grid from which another value could lead: the winner may be outside what was tried.
    3. A ranking that was still changing: more epochs may change the winner.
    4. Half of the settings or more fail to train: the grid itself has to move.
    5. Trade-offs and notes on the best setting: it is used differently, not replaced.
    6. Problems of other settings, the better ones first: a rival may have been judged unfairly.
    7. Everything else about the sweep, then about settings.

    Single runs are left out: their settings have the finding if most of their runs do. So is which key
    matters most, because the answer says what each key does.
    """
    findings = [one for one in diagnosis.findings if one.scope != "run" and one.kind != IMPORTANCE]
    chosen: dict[str, Finding] = {}
    for one in sorted(findings, key=lambda one: _place(one, diagnosis.ranked)):
        chosen.setdefault(one.kind, one)
    return list(chosen.values())[:most]


def _place(finding: Finding, ranked: Sequence[str]) -> tuple[int, int, int]:
    """Return the finding's place in the order of `most_important`, then its severity's and its setting's."""
    rank = ranked.index(finding.subject) if finding.subject in ranked else 0
    problem, of_setting = finding.severity == "problem", finding.scope == "setting"
    order = (
        problem and of_setting and rank == 0,
        problem and finding.kind == EDGE,
        problem and finding.kind == RANKING,
        finding.kind == FAILING,
        of_setting and rank == 0,
        problem and of_setting,
        not of_setting,
        True,
    )
    return order.index(True), SEVERITIES.index(finding.severity), rank
