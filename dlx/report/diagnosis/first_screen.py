"""The findings for the first screen: those that change what a reader does next."""

from dlx.report.diagnosis.finding import Diagnosis, Finding, problems_first


def most_important(diagnosis: Diagnosis, most: int = 3) -> list[Finding]:
    """Return at most `most` findings, no two of a kind, problems first; single runs are left out."""
    chosen: dict[str, Finding] = {}
    for one in problems_first([one for one in diagnosis.findings if one.scope != "run"]):
        chosen.setdefault(one.kind, one)
    return list(chosen.values())[:most]
