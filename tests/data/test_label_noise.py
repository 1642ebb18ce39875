import pytest
import torch

from dlx.build import build
from dlx.compose.request import compose_one
from dlx.data.dataset import Split
from dlx.data.label_noise import with_label_noise
from dlx.errors import RequestError
from dlx.run.identity import identity

CLASSES = 5


def split(samples=2000):
    return Split(torch.zeros(samples, 1), torch.arange(samples) % CLASSES)


def changed(share, seed=0):
    clean = split()
    return with_label_noise(clean, share, CLASSES, seed).labels != clean.labels


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_a_share_of_the_labels_is_drawn_anew_each_class_as_likely(share):
    wrong = changed(share)
    expected = share * (1 - 1 / CLASSES) * len(wrong)
    assert abs(int(wrong.sum()) - expected) < 4 * (expected / CLASSES) ** 0.5
    noisy = with_label_noise(split(), share, CLASSES, 0).labels[wrong]
    counts = torch.bincount(noisy, minlength=CLASSES).float()
    assert (counts - counts.mean()).abs().max() < 4 * counts.mean() ** 0.5


def test_the_seed_decides_which_and_a_larger_share_replaces_the_same_and_more():
    assert torch.equal(changed(0.3), changed(0.3))
    assert not torch.equal(changed(0.3), changed(0.3, seed=1))
    clean, few, many = split().labels, *(with_label_noise(split(), s, CLASSES, 0).labels for s in (0.2, 0.6))
    assert torch.equal(few[few != clean], many[few != clean])


def test_without_noise_the_split_is_the_same_object():
    clean = split()
    assert with_label_noise(clean, 0.0, CLASSES, 0) is clean


def test_only_training_labels_are_replaced_and_they_follow_the_seed():
    words = ["data=blobs", "data.samples=200"]
    clean, *noisy = (
        build(compose_one([*words, *more]))
        for more in ([], ["label_noise=0.4"], ["label_noise=0.4", "seed=1"])
    )
    for run in noisy:
        assert run.data.train.inputs is clean.data.train.inputs
        assert 0.2 < float((run.data.train.labels != clean.data.train.labels).float().mean()) < 0.4
        assert torch.equal(run.data.val.labels, clean.data.val.labels)
    assert not torch.equal(noisy[0].data.train.labels, noisy[1].data.train.labels)


def test_a_loss_without_classes_is_refused():
    with pytest.raises(RequestError, match=r"label_noise=0\.1: loss=surface has no classes"):
        build(compose_one(["data=surface", "label_noise=0.1"]))


def test_runs_without_noise_and_clipping_keep_their_identity():
    from dlx.compose.request import compose

    config = compose(["model=mlp"]).runs[0].config
    before = {key: value for key, value in config.items() if key not in ("label_noise", "gradient_clip")}
    assert len(before) == len(config) - 2
    assert identity(before) == identity(config)
    assert (
        identity(config | {"label_noise": 0.1})
        != identity(config)
        != identity(config | {"gradient_clip": 1.0})
    )
