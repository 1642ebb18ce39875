"""Estimates what training a model takes before any of it is asked for, from the shapes of its tensors."""

import functools
import json
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dlx.device import check_memory
from dlx.engine.evaluation import evaluation_batch
from dlx.engine.model_summary import watch_layers
from dlx.engine.stack_width import ACTIVATION_COPIES, PARAMETER_COPIES, free_bytes
from dlx.model.models import Dropout, models

OUTPUT_COPIES = 3  # of the validation outputs: each batch's, all of them, their probabilities
RESHAPING = (nn.Flatten, nn.Linear, nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
SAME_SHAPE = (
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, Dropout, nn.Identity),
    *(nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid),
)


def check_model_memory(
    name: str,
    arguments: Mapping[str, Any],
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    batch_size: int,
    evaluated: int,
    dtype: torch.dtype,
    device: torch.device,
) -> None:
    """Raise RequestError if training dlx's own model `name` needs more memory than is free.

    `evaluated`: samples of the validation split, whose outputs are kept for an epoch.
    """
    parameters, values, largest = _sizes(name, json.dumps(arguments), input_shape, outputs)
    training = PARAMETER_COPIES * parameters + ACTIVATION_COPIES * batch_size * values
    at_a_time = min(evaluated, evaluation_batch(input_shape))
    evaluation = 2 * at_a_time * largest + OUTPUT_COPIES * evaluated * outputs
    what = f"model.name={name}: with {parameters:,} parameters and batches of {batch_size}, training needs"
    check_memory(what, dtype.itemsize * (training + evaluation), free=free_bytes(device))


@functools.lru_cache(maxsize=128)  # runs that differ in rates and seeds have the same model
def _sizes(name: str, arguments: str, input_shape: tuple[int, ...], outputs: int) -> tuple[int, int, int]:
    """Return the model's parameters, the values that its layers give for a sample, and the most of one.

    On the meta device tensors have shapes and no memory. Zeros where the model cannot take such a sample,
    which trying it will say.
    """
    with torch.device("meta"):
        model = models.build(name, json.loads(arguments), input_shape=input_shape, outputs=outputs).eval()
    sizes = _by_arithmetic(model, input_shape)
    if sizes is None:
        sizes = _by_trying(model, input_shape)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return parameters, math.prod(input_shape) + sum(sizes), max(sizes, default=0)


def _by_arithmetic(model: nn.Module, input_shape: tuple[int, ...]) -> list[int] | None:
    """Return the values that each layer gives for a sample; None unless all are in sequence and known."""
    shape, sizes = input_shape, []
    for layer in (each for each in model.modules() if type(each).forward is not nn.Sequential.forward):
        after = _shape_after(layer, shape) if type(layer) in (*RESHAPING, *SAME_SHAPE) else None
        if after is None or min(after) < 1:
            return None
        shape = after
        sizes.append(math.prod(shape))
    return sizes


def _shape_after(layer: nn.Module, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the shape of a layer's output for a sample; None if it is not known here."""
    match layer:
        case nn.Flatten(start_dim=1, end_dim=-1):
            return (math.prod(shape),)
        case nn.Linear(in_features=features) if features == shape[-1]:
            return (*shape[:-1], layer.out_features)
        case nn.Conv2d(padding=(*padding,), in_channels=channels) if channels == shape[0] and len(shape) == 3:
            each = zip(shape[1:], padding, layer.dilation, layer.kernel_size, layer.stride, strict=True)
            sides = ((n + 2 * pad - apart * (size - 1) - 1) // step + 1 for n, pad, apart, size, step in each)
            return (layer.out_channels, *sides)
        case (
            nn.MaxPool2d(kernel_size=int(size), padding=0, ceil_mode=False, dilation=1)
            | nn.AvgPool2d(kernel_size=int(size), padding=0, ceil_mode=False)
        ) if layer.stride == size and len(shape) == 3:
            return (shape[0], *(side // size for side in shape[1:]))
    return shape if isinstance(layer, SAME_SHAPE) else None


def _by_trying(model: nn.Module, input_shape: tuple[int, ...]) -> list[int]:
    """Return the values that each layer gives for a sample; none where the model cannot take one.

    The first forward pass on the meta device makes torch import its compiler, which takes 1.5 s.
    """
    sizes: list[int] = []

    def on_output(layer: str, output: Tensor) -> None:  # noqa: ARG001
        sizes.append(output.numel())

    try:
        with torch.device("meta"), torch.no_grad(), watch_layers(model, on_output):
            model(torch.zeros(1, *input_shape))
    except (RuntimeError, ValueError):
        sizes.clear()
    return sizes
