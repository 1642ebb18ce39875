"""Over-confidence: stored probabilities are higher than the share of right predictions."""

from dlx.report.diagnosis.check import Affected, Check, Detections, Numbers
from dlx.report.diagnosis.evidence import CLASSIFYING, Evidence
from dlx.report.diagnosis.prediction_statistics import BINS

CALIBRATION_ERROR = 0.05  # smallest expected calibration error that is reported
DEVIATIONS = 4.0  # above the error of a perfectly calibrated model


def _detect_over_confidence(evidence: Evidence) -> Detections:
    """Measure the calibration error of stored predictions."""
    detections = Detections()
    for run in evidence.completed:
        loss = evidence.data.settings[run].get("loss.name", CLASSIFYING[0])
        if loss not in CLASSIFYING:
            detections.unchecked[f"outputs trained with {loss} are not logits"] += 1
            continue
        measured = _measure(evidence, run)
        if isinstance(measured, str):
            detections.unchecked[f"{measured}, so the calibration error is unknown"] += 1
        elif measured:
            detections.numbers[run] = measured
    return detections


def _measure(evidence: Evidence, run: str) -> Numbers | str:
    """Return the numbers of an over-confident run, {} for a calibrated one, or why they are unknown."""
    if run not in evidence.predictions:
        return "no predictions.npz"
    statistics = evidence.predictions[run]
    if statistics is None or statistics.calibration is None:
        return f"{'outputs that are not finite in' if statistics else 'damaged'} predictions.npz"
    seen = statistics.calibration
    beyond = seen.error > max(CALIBRATION_ERROR, seen.by_chance + DEVIATIONS * seen.deviation)
    if not beyond or seen.confidence <= seen.accuracy:
        return {}
    return {
        "calibration_error": seen.error,
        "by_chance": seen.by_chance,
        "confidence": seen.confidence,
        "accuracy": seen.accuracy,
    }


def _describe_over_confidence(runs: Affected) -> str:
    return (
        f"Over-confident{runs.where}: at the last epoch, mean confidence is {runs['confidence']:.3f} but "
        f"accuracy is {runs['accuracy']:.3f}. The expected calibration error is "
        f"{runs['calibration_error']:.3f} ({BINS} bins); a perfectly calibrated model would have "
        f"{runs['by_chance']:.3f}. Temperature scaling corrects this without training again."
    )


OVER_CONFIDENT = Check("over-confident", _detect_over_confidence, _describe_over_confidence, of_classes=True)
