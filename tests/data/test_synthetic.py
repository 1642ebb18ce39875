from pathlib import Path

import pytest
import torch

from dlx.data.source import sources
from dlx.errors import RequestError

BLOBS = {"samples": 900, "classes": 3, "features": 5, "noise": 0.25, "seed": 0}
SPIRALS = {"samples": 600, "classes": 3, "turns": 0.5, "noise": 0.0, "seed": 0}


def build(name, arguments, **changed):
    return sources.build(name, {**arguments, **changed}, root=Path("unused")).train


def test_blobs_have_the_given_deviation_around_their_centres():
    blobs = build("blobs", BLOBS)
    assert blobs.inputs.shape == (900, 5)
    assert blobs.inputs.dtype == torch.float64
    assert torch.bincount(blobs.labels).tolist() == [300, 300, 300]
    for label in range(3):
        deviation = blobs.inputs[blobs.labels == label].std(0)
        assert deviation.mean().item() == pytest.approx(0.25, rel=0.05)


def test_blobs_without_noise_are_one_point_per_class():
    blobs = build("blobs", BLOBS, noise=0.0)
    assert len(blobs.inputs.unique(dim=0)) == 3


def test_spirals_without_noise_lie_on_their_arms():
    spirals = build("spirals", SPIRALS)
    radius = spirals.inputs.norm(dim=1)
    angle = torch.atan2(spirals.inputs[:, 1], spirals.inputs[:, 0]) / (2 * torch.pi)
    off_arm = angle - 0.5 * radius - spirals.labels / 3
    assert (off_arm - off_arm.round()).abs().max() < 1e-9
    assert 0 <= radius.min() < 0.02
    assert 0.98 < radius.max() <= 1


def test_the_noise_of_spirals_has_the_given_deviation():
    exact, noisy = build("spirals", SPIRALS), build("spirals", SPIRALS, noise=0.1)
    assert (noisy.inputs - exact.inputs).std().item() == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize(("name", "arguments"), [("blobs", BLOBS), ("spirals", {**SPIRALS, "noise": 0.1})])
def test_only_the_seed_decides_what_is_drawn(name, arguments):
    torch.manual_seed(1)
    first = build(name, arguments)
    torch.manual_seed(2)
    assert torch.equal(first.inputs, build(name, arguments).inputs)
    assert not torch.equal(first.inputs, build(name, arguments, seed=1).inputs)


@pytest.mark.parametrize(
    ("name", "arguments", "changed", "message"),
    [
        ("blobs", BLOBS, {"samples": 0}, r"data\.samples=0"),
        ("blobs", BLOBS, {"classes": 1}, r"data\.classes=1"),
        ("spirals", SPIRALS, {"noise": -1.0}, r"data\.noise=-1"),
        ("spirals", SPIRALS, {"features": 3}, r"data\.features: 'spirals' takes no such setting"),
    ],
)
def test_settings_out_of_range_are_refused(name, arguments, changed, message):
    with pytest.raises(RequestError, match=message):
        build(name, arguments, **changed)
