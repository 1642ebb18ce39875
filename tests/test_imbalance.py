"""Class weights and the balanced sampler, for classes of unlike sizes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils.data import WeightedRandomSampler

from dlx.build import build
from dlx.compose.request import compose, compose_one
from dlx.engine import loop, stacked
from dlx.engine.loop import draw_order
from dlx.errors import RequestError
from dlx.run.identity import identity

COUNTS = [150, 40, 10]


@pytest.fixture(autouse=True)
def _imbalanced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labels = np.repeat(np.arange(3), COUNTS)
    inputs = np.random.default_rng(0).normal(size=(200, 4)) + labels[:, None]
    np.savez("mine.npz", inputs=inputs, labels=labels)


def built(*words):
    npz = ["data=npz", "data.root=.", "data.path=mine.npz", "data.val_size=0.2", "data.stratify=true"]
    return build(compose_one([*npz, "epochs=2", "model.sizes=[6]", *words]))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_class_weights_are_those_of_torch(smoothing):
    loss = built("loss.class_weights=[1,2.5,0]", f"loss.label_smoothing={smoothing}").loss
    outputs_BK, labels_B = torch.randn(7, 3), torch.arange(7) % 3
    torchs = torch.nn.CrossEntropyLoss(torch.tensor([1, 2.5, 0]), reduction="none", label_smoothing=smoothing)
    losses_B, gradient_BK = loss.gradient(outputs_BK, labels_B)
    variable = outputs_BK.clone().requires_grad_()
    torchs(variable, labels_B).mean().backward()
    assert torch.equal(losses_B, torchs(outputs_BK, labels_B))
    torch.testing.assert_close(gradient_BK, variable.grad)


def test_balanced_weights_give_each_class_the_same_sum_and_samples_a_mean_of_one():
    run = built("loss.class_weights=balanced")
    counts_K = torch.bincount(run.data.train.labels)
    weights_K = torch.tensor(run.loss.class_weights)
    torch.testing.assert_close(weights_K * counts_K, torch.full((3,), len(run.data.train) / 3))
    ours = run.loss.per_sample(torch.zeros(3, 3), torch.arange(3))
    torch.testing.assert_close(ours, weights_K * F.cross_entropy(torch.zeros(1, 3), torch.tensor([0])))


def test_the_balanced_sampler_draws_every_class_as_often_as_torchs_weighted_one():
    run = built("sampler=balanced")
    labels_N = run.data.train.labels
    drawn = torch.bincount(labels_N[torch.cat([draw_order(run, epoch) for epoch in range(1, 31)])])
    torchs = torch.cat(
        [torch.tensor(list(WeightedRandomSampler(run.sample_weights, 160))) for _ in range(30)]
    )
    for counts in (drawn, torch.bincount(labels_N[torchs])):
        assert (counts / counts.sum() - 1 / 3).abs().max() < 4 * (2 / 9 / 4800) ** 0.5
    assert len(draw_order(run, 1)) == len(labels_N)
    assert torch.equal(draw_order(run, 1), draw_order(run, 1))
    assert not torch.equal(draw_order(run, 1), draw_order(run, 2))


def test_every_sample_of_a_class_can_be_drawn():
    run = built("sampler=balanced")
    seen = torch.cat([draw_order(run, epoch) for epoch in range(1, 101)]).unique()
    assert torch.equal(seen, torch.arange(len(run.data.train)))


@pytest.mark.parametrize(
    "word", ["sampler=balanced", "loss.class_weights=balanced", "label_noise=0.3", "gradient_clip=0.1"]
)
def test_a_stack_trains_as_its_members_alone(word):
    given = [[word, "seed=0"], [word, "seed=1"], ["seed=1"]]
    alone, together = ([built(*words) for words in given] for _ in range(2))
    ends = list(stacked.train(together, {0, 1, 2}))
    by_run = [[end.row.val_loss for end in loop.train(run)] for run in alone]
    for index, losses in enumerate(by_run):
        assert [end[index].row.val_loss for end in ends] == pytest.approx(losses, rel=1e-5)
    assert by_run[1] != by_run[2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["loss.class_weights=[1,2]"],
            r"loss.class_weights=\[1,2\]: the data set has 3 classes, 0, 1, 2; give a",
        ),
        (["loss.class_weights=[1,2,-1]"], "loss.class_weights=-1: must be 0 or more|class_weights"),
        (["loss.class_weights=even"], "loss.class_weights='even': "),
        (
            ["sampler=balanced", "shuffle=false"],
            "sampler=balanced: draws the order of samples; it needs shuffle",
        ),
        (["sampler=even"], "sampler='even': must be one of balanced"),
        (["gradient_clip=0"], "gradient_clip=0: must be more than 0"),
        (["label_noise=1.5"], "label_noise=1.5: must be 1 or less"),
    ],
)
def test_a_wrong_value_is_one_line(words, said):
    with pytest.raises(RequestError, match=said):
        built(*words)


def test_a_class_without_training_samples_cannot_be_balanced():
    labels = np.repeat(np.arange(2), 50)
    np.savez("mine.npz", inputs=np.zeros((100, 2)), labels=labels, classes=["a", "b", "c"])
    with pytest.raises(RequestError, match="sampler=balanced: no training sample has the class 'c'"):
        built("sampler=balanced")


def test_runs_without_them_keep_their_identity():
    config = compose(["model=mlp"]).runs[0].config
    before = {key: value for key, value in config.items() if key != "sampler"}
    before["loss"] = {key: value for key, value in before["loss"].items() if key != "class_weights"}
    assert identity(before) == identity(config) != identity(config | {"sampler": "balanced"})
