"""Which modules are layers, what each outputs, and how many parameters each has."""

import pytest
import torch
from torch import nn

from dlx.engine.model_summary import (
    MODEL,
    LayerSummary,
    multiply_adds,
    named_layers,
    summarise_layers,
    watch_layers,
)
from dlx.model.models import models


def seen(model, *inputs):
    """The names and output shapes that `watch_layers` reports for one forward pass."""
    shown = []
    with watch_layers(model, lambda name, output: shown.append((name, tuple(output.shape)))):
        model(*inputs)
    return shown


def test_layers_are_seen_in_the_order_they_run_without_their_containers():
    model = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 2)))
    assert seen(model, torch.zeros(5, 3)) == [("0", (5, 4)), ("1.0", (5, 4)), ("1.1", (5, 2))]


def test_nothing_is_seen_outside_the_context_or_from_other_models():
    model, other, shown = nn.Linear(3, 4), nn.Linear(3, 4), []
    with watch_layers(model, lambda name, output: shown.append(name)):
        other(torch.zeros(1, 3))
    model(torch.zeros(1, 3))
    assert shown == []


def test_the_hook_is_removed_after_an_error():
    model, shown = nn.Linear(3, 4), []
    with (
        pytest.raises(RuntimeError, match="shapes"),
        watch_layers(model, lambda name, output: shown.append(name)),
    ):
        model(torch.zeros(1, 5))
    model(torch.zeros(1, 3))
    assert shown == []


def test_a_model_that_is_a_single_layer_has_a_name():
    assert seen(nn.Linear(3, 4), torch.zeros(1, 3)) == [(MODEL, (1, 4))]


class Unusual(nn.Module):
    """Has parameters of its own, a child called twice, one never called, and outputs that are not tensors."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))
        self.shared = nn.Linear(4, 4)
        self.memory = nn.LSTM(4, 4)  # returns a tuple
        self.largest = Largest()
        self.idle = nn.Linear(4, 9)
        self.tied = nn.Linear(4, 4)
        self.tied.weight = self.shared.weight

    def forward(self, x):
        x = self.shared(self.shared(x))
        self.memory(x[None])
        self.largest(x)
        return self.tied(x * self.scale)


class Largest(nn.Module):
    def forward(self, x):
        return x.argmax(1)


def test_outputs_that_are_not_one_floating_tensor_are_skipped():
    shown = seen(Unusual(), torch.zeros(2, 4))
    assert shown == [("shared", (2, 4)), ("shared", (2, 4)), ("tied", (2, 4)), (MODEL, (2, 4))]


def test_the_summary_counts_every_trainable_parameter_once():
    model = Unusual()
    model.idle.bias.requires_grad_(False)
    facts = summarise_layers(model, {"shared": (4,)})
    assert {fact.layer: fact.parameters for fact in facts} == {
        MODEL: 4,
        "shared": 20,
        "memory": 4 * 4 * 4 * 2 + 4 * 4 * 2,
        "largest": 0,
        "idle": 36,
        "tied": 4,
    }
    assert {fact.layer: fact.output_shape for fact in facts} == {
        **dict.fromkeys(named_layers(model)),
        "shared": (4,),
    }
    assert facts[1].module == "Linear"


def test_a_residual_block_is_seen_through_its_last_activation():
    model = models.build("resnet", {"blocks": 1, "width": 2}, input_shape=(1, 8, 8), outputs=3).eval()
    blocks, shown = [], []
    model.block1_1.register_forward_hook(lambda module, inputs, output: blocks.append(output))
    with watch_layers(model, lambda name, output: shown.append((name, output))):
        model(torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(dict(shown)["block1_1.activation"], blocks[0])


@torch.no_grad()
def test_layers_are_seen_even_where_torch_would_evaluate_them_fused():
    """In fused evaluation the parts of a TransformerEncoderLayer do not run, so they are not seen."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    x = torch.zeros(2, 3, 8)
    assert "linear1" in dict(seen(layer, x))
    assert seen(layer.eval(), x) == []


def test_multiply_adds_count_a_kernel_at_every_pixel_and_a_linear_layer_at_every_step():
    facts = [
        LayerSummary("conv1", "Conv2d", (6, 28, 28), 156),
        LayerSummary("pool1", "MaxPool2d", (6, 14, 14), 0),
        LayerSummary("attention", "Linear", (7, 20), 100),
        LayerSummary("output", "Linear", (10,), 850),
        LayerSummary("lstm", "LSTM", None, 33),
    ]
    assert multiply_adds(facts) == 156 * 784 + 100 * 7 + 850 + 33
