"""The findings for the first screen: what changes a reader's next step comes first, one of each kind."""

from dlx.report.diagnosis.finding import Diagnosis, Finding, Scope, Severity
from dlx.report.diagnosis.first_screen import most_important


def found(kind: str, scope: Scope, subject: str, severity: Severity) -> Finding:
    return Finding(kind, scope, subject, severity, f"{kind} of {subject}", {})


EDGE = found("edge of the grid", "sweep", "", "problem")
DISTANT_EDGE = found("edge of the grid", "sweep", "", "note")
RANKING = found("ranking not settled", "sweep", "", "problem")
FAILING = found("failing settings", "sweep", "", "problem")
IMPORTANCE = found("importance", "sweep", "", "note")
BEST_PROBLEM = found("not converged", "setting", "a", "problem")
BEST_TRADE_OFF = found("overfitting", "setting", "a", "trade-off")
RIVAL_PROBLEM = found("unstable", "setting", "b", "problem")
WORSE_PROBLEM = found("too slow", "setting", "c", "problem")
OF_RUN = found("diverged", "run", "a1", "problem")


def chosen(*findings: Finding, most: int = 3) -> list[Finding]:
    return most_important(Diagnosis(list(findings), [], ranked=["a", "b", "c"]), most)


def test_the_order_is_what_the_findings_change_for_the_reader() -> None:
    rivals = [RIVAL_PROBLEM, WORSE_PROBLEM]
    order = [BEST_PROBLEM, EDGE, RANKING, FAILING, BEST_TRADE_OFF, *rivals]
    assert chosen(IMPORTANCE, *reversed(order), most=len(order) + 1) == order
    assert chosen(*reversed(order)) == order[:3]


def test_no_two_are_of_a_kind_and_none_is_of_a_single_run() -> None:
    rival = found("not converged", "setting", "b", "problem")
    assert chosen(DISTANT_EDGE, EDGE, rival, BEST_PROBLEM, OF_RUN) == [BEST_PROBLEM, EDGE]


def test_an_edge_that_cannot_change_the_winner_comes_after_rivals() -> None:
    assert chosen(DISTANT_EDGE, RIVAL_PROBLEM, BEST_TRADE_OFF) == [
        BEST_TRADE_OFF,
        RIVAL_PROBLEM,
        DISTANT_EDGE,
    ]
