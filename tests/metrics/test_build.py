"""Which metrics a run can have: by name, by a function of the user's, and what is refused."""

import re

import pytest
import torch

from dlx.errors import RequestError
from dlx.metrics.catalogue import check_monitor, check_names, facts, is_share, label_of
from dlx.metrics.metrics import build_metrics, metrics, try_metric

OUTPUTS, LABELS = torch.tensor([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0]]), torch.tensor([0, 1, 1])

OWN = """
def share_of_zeros(outputs, labels):
    return float((labels == 0).float().mean())

def error(y_true, y_pred):
    return (y_pred - y_true).mean()
error.higher_is_better = False

class Counter:
    higher_is_better = True
    def __init__(self, num_classes):
        self.num_classes, self.seen = num_classes, 0
    def __call__(self, outputs, labels):
        self.seen += len(outputs)
        return self.seen + 100 * self.num_classes
    def reset(self):
        self.seen = 0

def two(outputs, labels):
    return outputs.mean(0)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "scores.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)


def test_a_function_of_the_users_is_given_outputs_and_labels(own):
    (metric,) = build_metrics(["scores:share_of_zeros"], "classification", 2)
    assert (metric.name, metric.higher_is_better) == ("share_of_zeros", None)
    assert metric.compute(OUTPUTS, LABELS).item() == pytest.approx(1 / 3)


def test_a_function_whose_first_parameter_is_y_true_is_given_labels_first(own):
    (metric,) = build_metrics(["scores:error"], "regression", 1)
    assert metric.higher_is_better is False
    assert metric.compute(torch.tensor([[3.0], [5.0]]), torch.tensor([1.0, 1.0])).item() == 3.0


def test_a_class_is_told_the_number_of_classes_and_forgets_what_it_has_seen(own):
    (metric,) = build_metrics(["scores:Counter"], "classification", 1)
    assert [metric.compute(OUTPUTS, LABELS).item() for _ in range(2)] == [203, 203]


def test_a_function_that_returns_no_number_is_refused(own):
    (metric,) = build_metrics(["scores:two"], "classification", 2)
    with pytest.raises(
        RequestError, match=r"metrics=\[scores:two\]: it cannot be computed from outputs \[3, 2\]"
    ):
        try_metric(metric, OUTPUTS, LABELS)


@pytest.mark.parametrize(
    ("name", "task", "said"),
    [
        ("rmse", "classification", "metrics=[rmse]: is for regression, but"),
        ("f1_macro", "regression", "is for classification and multi-label, but"),
        ("exact_match", "none", "make it neither"),
        ("top3", "classification", "is always 1 with 3 classes"),
        ("f1_marco", "classification", "there is no such metric; did you mean 'f1_macro'?"),
        ("scores", "classification", "there is no such metric"),
        ("scores:f1_macro", "classification", "'f1_macro' is the name of one of dlx's; rename yours"),
        ("scores.error", "classification", "there is no such metric"),
        ("nosuch:error", "classification", "metrics=[nosuch:error]: importing 'nosuch' failed"),
    ],
)
def test_a_metric_that_does_not_fit_is_refused_in_one_line(name, task, said, own):
    with pytest.raises(RequestError, match=re.escape(said)):
        build_metrics([name], task, 3)


def test_two_metrics_of_one_name_are_refused():
    with pytest.raises(RequestError, match="two metrics are named 'kappa'"):
        check_names(["a:kappa", "b:kappa"], metrics.builders())


def test_the_monitor_must_be_recorded():
    check_monitor("val_kappa", ["scores:kappa"])
    with pytest.raises(RequestError, match=r"monitor=val_r2: is not recorded; add metrics=\[r2\]"):
        check_monitor("val_r2", [])


def test_columns_are_named_with_their_split():
    assert label_of("val_f1_macro") == "validation macro F1"
    assert label_of("train_end_accuracy") == "end-of-epoch training accuracy"
    assert label_of("val_top5") == "validation top-5 accuracy"
    assert label_of("val_kappa") == "validation kappa"
    assert is_share("test_accuracy")
    assert not is_share("val_my_accuracy")  # a user's may be in per cent
    assert facts("val_kappa").higher_is_better is None
