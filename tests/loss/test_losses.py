"""Each loss against torch's own function."""

import pytest
import torch
import torch.nn.functional as F

from dlx.errors import RequestError
from dlx.loss.losses import losses

OUTPUTS = torch.randn(7, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABELS = torch.tensor([0, 1, 2, 3, 0, 1, 2])


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_cross_entropy_is_torchs(reduction):
    loss = losses.build("cross_entropy", {"reduction": reduction, "label_smoothing": 0.2})
    expected = F.cross_entropy(OUTPUTS, LABELS, reduction=reduction, label_smoothing=0.2)
    assert loss.reduce(loss.per_sample(OUTPUTS, LABELS)) == pytest.approx(expected.item(), rel=1e-12)


def test_mean_squared_error_is_torchs_on_one_hot_rows():
    loss = losses.build("mean_squared_error", {"reduction": "mean"})
    expected = F.mse_loss(OUTPUTS, F.one_hot(LABELS, 4).double())
    assert loss.reduce(loss.per_sample(OUTPUTS, LABELS)) == pytest.approx(expected.item(), rel=1e-12)


def test_binary_cross_entropy_of_two_classes_has_one_output_and_is_torchs():
    loss = losses.build("binary_cross_entropy", {"reduction": "mean"})
    outputs, labels = OUTPUTS[:, :1], LABELS % 2
    expected = F.binary_cross_entropy_with_logits(outputs[:, 0], labels.double())
    assert loss.outputs(2) == 1
    assert loss.reduce(loss.per_sample(outputs, labels)) == pytest.approx(expected.item(), rel=1e-12)


def test_binary_cross_entropy_of_more_classes_asks_each_by_itself():
    loss = losses.build("binary_cross_entropy", {"reduction": "mean"})
    expected = F.binary_cross_entropy_with_logits(OUTPUTS, F.one_hot(LABELS, 4).double())
    assert loss.outputs(4) == 4
    assert loss.reduce(loss.per_sample(OUTPUTS, LABELS)) == pytest.approx(expected.item(), rel=1e-12)


def test_correct_is_the_largest_output_or_the_sign_of_the_only_one():
    loss = losses.build("cross_entropy", {"reduction": "mean", "label_smoothing": 0.0})
    outputs = torch.tensor([[0.1, 0.9], [0.9, 0.1], [0.2, 0.8]])
    assert loss.correct(outputs, torch.tensor([1, 1, 1])).tolist() == [True, False, True]
    single = torch.tensor([[2.0], [-2.0], [2.0]])
    assert loss.correct(single, torch.tensor([1, 0, 0])).tolist() == [True, True, False]


def test_an_unknown_reduction_is_refused():
    with pytest.raises(RequestError, match=r"loss.reduction='total': .*one of mean, sum"):
        losses.build("mean_squared_error", {"reduction": "total"})


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("cross_entropy", {"label_smoothing": 0.0}),
        ("cross_entropy", {"label_smoothing": 0.2}),
        ("binary_cross_entropy", {}),
        ("mean_squared_error", {}),
    ],
)
def test_the_gradient_is_autograds_for_a_run_and_for_several(name, arguments, reduction):
    loss = losses.build(name, arguments | {"reduction": reduction})
    variable = OUTPUTS.clone().requires_grad_()
    losses_B = loss.per_sample(variable, LABELS)
    loss.reduce(losses_B).backward()
    alone = loss.gradient(OUTPUTS, LABELS)
    assert torch.equal(alone[0], losses_B.detach())
    assert torch.equal(alone[1], variable.grad)
    together = loss.gradient(torch.stack([OUTPUTS.flip(0), OUTPUTS]), torch.stack([LABELS.flip(0), LABELS]))
    for both, one in zip(together, alone, strict=True):
        torch.testing.assert_close(both[1], one)
        torch.testing.assert_close(both[0], one.flip(0))
