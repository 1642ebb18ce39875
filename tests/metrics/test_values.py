"""Every metric against scikit-learn's, and what it is defined as where scikit-learn has none."""

import numpy as np
import pytest
import sklearn.metrics as sk
import torch

from dlx.metrics.catalogue import CATALOGUE
from dlx.metrics.metrics import metrics, top_k
from dlx.report.diagnosis.prediction_statistics import measure_calibration

DRAWS = np.random.default_rng(0)
LOGITS = DRAWS.normal(size=(200, 4)).round(1)  # rounded, so that there are ties
CLASSES = DRAWS.integers(4, size=200)
SOFTMAX = torch.softmax(torch.tensor(LOGITS), 1).numpy()
YES_NO = (LOGITS + DRAWS.normal(size=LOGITS.shape) > 0.5).astype(np.float64)
NUMBERS = LOGITS + DRAWS.normal(size=LOGITS.shape)
SAID = LOGITS.argmax(1)


def value(name, outputs, labels):
    return metrics.builders()[name](torch.as_tensor(outputs), torch.as_tensor(labels)).item()


OF_CLASSES = {
    "f1_macro": sk.f1_score(CLASSES, SAID, average="macro"),
    "f1_micro": sk.f1_score(CLASSES, SAID, average="micro"),
    "precision": sk.precision_score(CLASSES, SAID, average="macro"),
    "recall": sk.recall_score(CLASSES, SAID, average="macro"),
    "balanced_accuracy": sk.balanced_accuracy_score(CLASSES, SAID),
    "auroc": sk.roc_auc_score(CLASSES, SOFTMAX, multi_class="ovr", average="macro"),
    "calibration_error": measure_calibration(SOFTMAX, CLASSES).error,  # see tests of the diagnosis
}
OF_LABELS = {
    "f1_macro": sk.f1_score(YES_NO, LOGITS > 0, average="macro"),
    "f1_micro": sk.f1_score(YES_NO, LOGITS > 0, average="micro"),
    "precision": sk.precision_score(YES_NO, LOGITS > 0, average="macro"),
    "recall": sk.recall_score(YES_NO, LOGITS > 0, average="macro"),
    "auroc": sk.roc_auc_score(YES_NO, LOGITS, average="macro"),
    "exact_match": sk.accuracy_score(YES_NO, LOGITS > 0),
    "hamming": sk.hamming_loss(YES_NO, LOGITS > 0),
}
OF_NUMBERS = {
    "mae": sk.mean_absolute_error(NUMBERS, LOGITS),
    "rmse": sk.root_mean_squared_error(NUMBERS, LOGITS),
    "r2": sk.r2_score(NUMBERS, LOGITS),
}


@pytest.mark.parametrize(("name", "expected"), OF_CLASSES.items())
def test_metrics_of_classes_are_scikit_learns(name, expected):
    assert value(name, LOGITS, CLASSES) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("name", "expected"), OF_LABELS.items())
def test_metrics_of_labels_are_scikit_learns(name, expected):
    assert value(name, LOGITS, YES_NO) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("name", "expected"), OF_NUMBERS.items())
def test_metrics_of_numbers_are_scikit_learns(name, expected):
    assert value(name, LOGITS, NUMBERS) == pytest.approx(expected, rel=1e-12)


def test_every_metric_of_the_catalogue_is_compared_for_every_task_that_it_is_for():
    compared = {"classification": OF_CLASSES, "multi-label": OF_LABELS, "regression": OF_NUMBERS}
    assert set(CATALOGUE) == set(metrics.builders())
    for task, values in compared.items():
        assert set(values) == {name for name, facts in CATALOGUE.items() if task in facts.tasks}


@pytest.mark.parametrize("k", [1, 2, 3])
def test_top_k_is_scikit_learns(k):
    outputs = DRAWS.normal(size=(200, 4))  # scikit-learn breaks ties in another way
    found = top_k(k)(torch.tensor(outputs), torch.tensor(CLASSES)).item()
    assert found == pytest.approx(sk.top_k_accuracy_score(CLASSES, outputs, k=k), rel=1e-12)


def test_a_single_output_tells_two_classes_apart_by_its_sign():
    outputs, labels = LOGITS[:, :1], CLASSES % 2
    said = outputs[:, 0] > 0
    assert value("f1_macro", outputs, labels) == pytest.approx(sk.f1_score(labels, said, average="macro"))
    assert value("auroc", outputs, labels) == pytest.approx(sk.roc_auc_score(labels, outputs[:, 0]))
    two = np.stack([1 / (1 + np.exp(outputs[:, 0])), 1 / (1 + np.exp(-outputs[:, 0]))], 1)
    expected = measure_calibration(two, labels).error
    assert value("calibration_error", outputs, labels) == pytest.approx(expected)
    assert top_k(1)(torch.tensor(outputs), torch.tensor(labels)).item() == (said == labels).mean()


def test_classes_that_do_not_occur_are_handled_as_by_scikit_learn():
    labels = CLASSES.clip(1, 2)  # 0 and 3 are said, but never true
    outputs = LOGITS - np.array([0, 0, 0, 100])  # 3 is never said, either
    said = outputs.argmax(1)
    for name, function in (
        ("f1_macro", sk.f1_score),
        ("precision", sk.precision_score),
        ("recall", sk.recall_score),
    ):
        expected = function(labels, said, average="macro", zero_division=0)
        assert value(name, outputs, labels) == pytest.approx(expected, rel=1e-12)
    kept = labels[said > 0], said[said > 0]
    assert value("balanced_accuracy", outputs[said > 0], kept[0]) == pytest.approx(
        sk.balanced_accuracy_score(*kept), rel=1e-12
    )


def test_the_area_of_a_class_that_all_samples_have_is_left_out():
    labels = YES_NO.copy()
    labels[:, 0] = 1
    assert value("auroc", LOGITS, labels) == pytest.approx(sk.roc_auc_score(labels[:, 1:], LOGITS[:, 1:]))
    assert np.isnan(value("auroc", LOGITS, np.ones_like(YES_NO)))


def test_numbers_without_an_axis_are_those_of_a_single_output():
    for name in OF_NUMBERS:
        assert value(name, LOGITS[:, :1], NUMBERS[:, 0]) == value(name, LOGITS[:, :1], NUMBERS[:, :1])


def test_r2_of_labels_that_are_all_equal_is_scikit_learns():
    constant = np.full((5, 1), 2.0)
    assert value("r2", constant, constant) == sk.r2_score(constant, constant) == 1.0
    assert value("r2", constant + 1, constant) == sk.r2_score(constant, constant + 1) == 0.0
