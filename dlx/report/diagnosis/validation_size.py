"""Small validation sets: what one sample is worth."""

from dlx.metrics.catalogue import label_of
from dlx.report.diagnosis.evidence import Evidence
from dlx.report.diagnosis.finding import Finding, NotChecked
from dlx.run.folds import find_folding
from dlx.run.identity import FOLD

KIND = "small validation set"
SMALL = 100  # samples; with fewer, one sample is more than a point of accuracy
CLOSE = 2.0  # samples by which the best setting leads


def find_small_validation(evidence: Evidence) -> list[Finding | NotChecked]:
    """Report what a sample is worth if there are few, or if the best setting leads by at most two."""
    metric = evidence.summary.metric
    if metric != "val_accuracy":
        if not evidence.classes_are_learned:
            return []
        return [NotChecked(KIND, "settings are not ranked by validation accuracy")]
    sizes = {size for run in evidence.completed if (size := evidence.samples(run)) > 1}
    if not sizes:
        return [NotChecked(KIND, "the number of validation samples is unknown")]
    runs = evidence.data.settings.values()
    folding = find_folding(runs) if all(values.get(FOLD) is not None for values in runs) else None
    samples = min(sizes) * (1 if folding is None else min(folding.folds))  # each is validated on in one fold
    means = sorted((evidence.mean(setting) for setting in evidence.scores), reverse=True)
    lead = means[0] - means[1] if len(means) > 1 else float("nan")
    worth = round(lead * samples, 1)  # samples; a mean over seeds may be a fraction of one
    close = 0 < worth <= CLOSE
    if samples >= SMALL and not close:
        return []
    sentence = (
        f"With {samples:,.0f} validation samples{' in all folds' if folding else ''}, one sample is "
        f"{100 / samples:.2g} points of accuracy."
    )
    if close:
        bound = "at most one sample" if worth <= 1 else f"{worth:.2g} samples"
        sentence += f" The best setting leads by {100 * lead:.2g} points, {bound}."
    more = "More data" if folding else "A larger validation set"
    sentence += f" {more} would measure {label_of(metric)} more finely."
    numbers = {"samples": float(samples), "sample": 1 / samples}
    return [Finding(KIND, "sweep", "", "note", sentence, numbers | ({"lead": lead} if close else {}))]
