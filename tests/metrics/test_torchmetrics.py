"""Metrics of torchmetrics by name: they agree with dlx's own, know the number of classes, and keep no state."""

import importlib.util

import pytest
import torch

from dlx.errors import RequestError
from dlx.metrics import catalogue
from dlx.metrics.catalogue import check_names, column_name, is_own
from dlx.metrics.metrics import build_metrics

needs_torchmetrics = pytest.mark.skipif(
    importlib.util.find_spec("torchmetrics") is None, reason="torchmetrics is not installed"
)
DRAWS = torch.Generator().manual_seed(0)
OUTPUTS = 3 * torch.randn(200, 4, generator=DRAWS)
LABELS = torch.where(
    torch.rand(200, generator=DRAWS) < 0.6, OUTPUTS.argmax(1), torch.randint(0, 4, (200,), generator=DRAWS)
)


def value(name, outputs=OUTPUTS, labels=LABELS, task="classification"):
    (metric,) = build_metrics([name], task, outputs.shape[1])
    return metric.compute(outputs, labels).item()


@needs_torchmetrics
@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("MulticlassF1Score", "f1_macro"),
        ("torchmetrics.classification.MulticlassPrecision", "precision"),
        ("torchmetrics.classification:MulticlassRecall", "recall"),
        ("MulticlassAUROC", "auroc"),
        ("MulticlassCalibrationError", "calibration_error"),
        ("torchmetrics.F1Score", "f1_micro"),
    ],
)
def test_a_class_gives_what_the_metric_of_dlx_gives(name, ours):
    assert value(name) == pytest.approx(value(ours), abs=1e-5)


@needs_torchmetrics
def test_two_classes_may_have_one_output_or_two():
    labels = LABELS % 2
    single = OUTPUTS[:, 1:2] - OUTPUTS[:, :1]
    expected = value("auroc", OUTPUTS[:, :2], labels)
    for outputs in (OUTPUTS[:, :2], single):
        assert value("BinaryAUROC", outputs, labels) == pytest.approx(expected, abs=1e-5)
        assert value("MulticlassF1Score", outputs, labels) == pytest.approx(
            value("f1_macro", outputs, labels), abs=1e-5
        )


@needs_torchmetrics
def test_yes_or_no_labels_and_numbers():
    labels = (OUTPUTS + torch.randn(200, 4, generator=DRAWS) > 0).float()
    ours = value("f1_macro", labels=labels, task="multi-label")
    assert value("MultilabelF1Score", labels=labels, task="multi-label") == pytest.approx(ours, abs=1e-5)
    numbers = OUTPUTS.sum(dim=1) + 1
    absolute = value("mae", OUTPUTS[:, :1], numbers, "regression")
    assert value("MeanAbsoluteError", OUTPUTS[:, :1], numbers, "regression") == pytest.approx(
        absolute, rel=1e-5
    )


@needs_torchmetrics
def test_each_run_has_its_own_and_what_it_has_seen_is_forgotten():
    first, second = (build_metrics(["MulticlassF1Score"], "classification", 4)[0] for _ in range(2))
    alone = first.compute(OUTPUTS, LABELS).item()
    second.compute(OUTPUTS, 3 - LABELS)
    first.compute(OUTPUTS[:5], LABELS[:5])
    assert first.compute(OUTPUTS, LABELS).item() == alone
    assert (first.name, first.higher_is_better) == ("MulticlassF1Score", True)
    assert build_metrics(["MeanSquaredError"], "regression", 1)[0].higher_is_better is False


@needs_torchmetrics
@pytest.mark.parametrize(
    ("name", "task", "message"),
    [
        (
            "MulticlasF1Score",
            "classification",
            r"has no 'MulticlasF1Score'; did you mean 'MulticlassF1Score'\?",
        ),
        ("MultilabelF1Score", "classification", "is for multi-label, but this run's loss and labels make it"),
        ("BinaryF1Score", "classification", "is for 2 classes, but there are 4; use MulticlassF1Score"),
        ("torchmetrics.nothing.F1Score", "classification", "No module named 'torchmetrics.nothing'"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(name, task, message):
    with pytest.raises(RequestError, match=message) as raised:
        build_metrics([name], task, 4)
    assert "\n" not in str(raised.value)


def test_without_torchmetrics_a_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(catalogue, "find_spec", lambda _: None)
    message = r"metrics=\[MulticlassF1Score\]: needs torchmetrics, .*: pip install 'dlx\[metrics\]'"
    with pytest.raises(RequestError, match=message):
        check_names(["MulticlassF1Score"], ["f1_macro"])


def test_names_of_torchmetrics_are_no_code_of_the_users():
    names = ["MulticlassF1Score", "torchmetrics.classification.BinaryAUROC", "torchmetrics:F1Score"]
    assert [column_name(name) for name in names] == ["MulticlassF1Score", "BinaryAUROC", "F1Score"]
    assert not any(is_own(name) for name in names)
    assert is_own("scores:Kappa")
