"""Metrics of classes and of yes-or-no labels, defined and tested as in scikit-learn.

Nothing here waits for the device. Axes: N samples, K outputs, C classes or labels, B bins of confidence.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from dlx.device import accumulator
from dlx.metrics.metrics import metrics

BINS = 15  # of the expected calibration error, as in Guo et al. (2017)


@metrics.register("f1_macro")
def f1_macro(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the mean F1 of the classes, 2 tp / (2 tp + fp + fn), that occur or are said."""
    hits_C, said_C, true_C = _counts(outputs, labels)
    return _mean(_ratio(2 * hits_C, said_C + true_C), _occurring(said_C + true_C, labels))


@metrics.register("f1_micro")
def f1_micro(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the F1 of all decisions together; for classes it equals accuracy."""
    hits_C, said_C, true_C = _counts(outputs, labels)
    return _ratio(2 * hits_C.sum(), said_C.sum() + true_C.sum())


@metrics.register("precision")
def precision(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over classes of the share of correct answers; 0 for a class never said."""
    hits_C, said_C, true_C = _counts(outputs, labels)
    return _mean(_ratio(hits_C, said_C), _occurring(said_C + true_C, labels))


@metrics.register("recall")
def recall(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over classes of the share found; 0 for a class that is said but does not occur."""
    hits_C, said_C, true_C = _counts(outputs, labels)
    return _mean(_ratio(hits_C, true_C), _occurring(said_C + true_C, labels))


@metrics.register("balanced_accuracy")
def balanced_accuracy(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over the classes that occur of the share found."""
    hits_C, _, true_C = _counts(outputs, labels)
    return _mean(_ratio(hits_C, true_C), true_C > 0)


@metrics.register("auroc")
def auroc(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the area under the ROC curve, a mean over classes (each against the rest) or labels.

    Classes are ranked by their softmax. The area is Mann and Whitney's U over the number of pairs, with mean
    ranks for ties. A class that all or no samples have is left out; NaN if none is left.
    """
    scores_NC, true_NC = _scores(outputs, labels), _true(labels, max(2, outputs.shape[1]))
    if labels.dim() == 1 and scores_NC.shape[1] == 2:  # both classes have the same area
        scores_NC, true_NC = scores_NC[:, 1:], true_NC[:, 1:]
    scores_CN = scores_NC.T.contiguous()
    sorted_CN = scores_CN.sort().values
    below_CN, up_to_CN = (torch.searchsorted(sorted_CN, scores_CN, right=right) for right in (False, True))
    kind = accumulator(outputs.device)
    rank_CN, true_CN = (below_CN + up_to_CN + 1).to(kind) / 2, true_NC.T.to(kind)
    positive_C, samples = true_CN.sum(1), true_CN.shape[1]
    pairs_C = positive_C * (samples - positive_C)
    above_C = (rank_CN * true_CN).sum(1) - positive_C * (positive_C + 1) / 2
    return _mean(_ratio(above_C, pairs_C), pairs_C > 0)


@metrics.register("calibration_error")
def calibration_error(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the expected calibration error of the softmax in 15 bins of equal width (Guo et al., 2017)."""
    kind = accumulator(outputs.device)
    confidence_N, said_N = _scores(outputs.to(kind), labels).max(1)
    bin_N = (confidence_N * BINS).ceil().clamp(1, BINS) - 1
    inside_NB = bin_N[:, None] == torch.arange(BINS, device=outputs.device)
    gap_N = (said_N == labels).to(kind) - confidence_N
    return (gap_N[:, None] * inside_NB).sum(0).abs().sum() / len(labels)


@metrics.register("exact_match")
def exact_match(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the share of samples with every label right."""
    return (
        (_said(outputs, labels) == _true(labels, outputs.shape[1]))
        .all(1)
        .to(accumulator(outputs.device))
        .mean()
    )


@metrics.register("hamming")
def hamming(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the share of labels, over all samples, that are wrong (the Hamming loss)."""
    return (_said(outputs, labels) != _true(labels, outputs.shape[1])).to(accumulator(outputs.device)).mean()


def _counts(outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return how often each class [C] is said rightly, is said, and is true."""
    said_NC, true_NC = _said(outputs, labels), _true(labels, max(2, outputs.shape[1]))
    kind = accumulator(outputs.device)
    return (said_NC & true_NC).sum(0).to(kind), said_NC.sum(0).to(kind), true_NC.sum(0).to(kind)


def _said(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return what the outputs say, [N, C] bool: the largest one, or each that is above 0."""
    if labels.is_floating_point():
        return outputs > 0
    said_N = outputs.argmax(1) if outputs.shape[1] > 1 else (outputs[:, 0] > 0).long()
    return F.one_hot(said_N, max(2, outputs.shape[1])).bool()


def _true(labels: Tensor, classes: int) -> Tensor:
    """Return which classes or labels the samples have, [N, C] bool."""
    if labels.is_floating_point():
        return labels.reshape(len(labels), -1) > 0.5
    return F.one_hot(labels, classes).bool()


def _scores(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return what to rank by [N, C]: logits of yes-or-no labels, the softmax of classes."""
    if labels.is_floating_point():
        return outputs
    if outputs.shape[1] == 1:
        outputs = torch.cat([torch.zeros_like(outputs), outputs], 1)
    return outputs.softmax(1)


def _occurring(seen_C: Tensor, labels: Tensor) -> Tensor:
    """Return which classes count in a mean: those seen or said, but every yes-or-no label."""
    return torch.ones_like(seen_C, dtype=torch.bool) if labels.is_floating_point() else seen_C > 0


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """Return part / whole; 0 where the whole is 0."""
    return torch.where(whole > 0, part / whole.clamp(min=1), 0)


def _mean(values_C: Tensor, counted_C: Tensor) -> Tensor:
    return (values_C * counted_C).sum() / counted_C.sum()
