"""Another seed of a user's module is built without trying its steps again, unless it is another module."""

from pathlib import Path

import pytest
import torch
from torch import nn

from dlx.build import build
from dlx.compose.request import compose
from dlx.config import Settings
from dlx.preflight import Preflight

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, input_shape, outputs, width=4, by_seed=False):
        super().__init__()
        if by_seed:
            width += int(torch.randint(100, ()))
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, outputs))

    def forward(self, inputs):
        return self.layers(inputs)
"""
OWN = ["data=digits", "model=custom", "model.target=seeded_net:Net", "+model.by_seed=false", "epochs=1"]


@pytest.fixture
def tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the seeds whose steps were tried, with the user's module in the current folder."""
    (tmp_path / "seeded_net.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    seeds: list[int] = []
    try_steps = Preflight.try_steps

    def note(preflight: Preflight, model: nn.Module) -> None:
        seeds.append(preflight.settings.seed)
        try_steps(preflight, model)

    monkeypatch.setattr(Preflight, "try_steps", note)
    return seeds


def settings_of(*words: str) -> list[Settings]:
    return [run.settings for run in compose([*OWN, *words]).runs]


def test_steps_of_an_equal_module_are_tried_once(tried: list[int]) -> None:
    zero, one = settings_of("seed=0,1")
    alone = build(one)
    after = build(one, like=build(zero))
    assert tried == [1, 0]
    for ours, theirs in zip(after.model.parameters(), alone.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    "words",
    [
        ("model.by_seed=true", "seed=0,1"),
        ("batch_size=32,64", "seed=0"),
        ("loss=cross_entropy,mean_squared_error", "seed=0"),
    ],
)
def test_steps_that_may_fail_for_another_reason_are_tried(tried: list[int], words: tuple[str, ...]) -> None:
    one, other = settings_of(*words)
    build(other, like=build(one))
    assert len(tried) == 2
