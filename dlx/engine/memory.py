"""Estimates what training a model takes before any of it is asked for, from the shapes of its tensors."""

import functools
import json
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dlx.device import SAFE_SHARE, check_memory
from dlx.engine.evaluation import EVALUATION_BATCH
from dlx.engine.model_summary import watch_layers
from dlx.engine.stack_width import ACTIVATION_COPIES, PARAMETER_COPIES, free_bytes
from dlx.model.models import Dropout, models

OUTPUT_COPIES = 3  # of the validation outputs: each batch's, all of them, their probabilities
KEEPING = (
    *(nn.Flatten, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, Dropout),
    *(nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Identity),
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
    given = (name, json.dumps(arguments), input_shape, outputs)
    free = free_bytes(device)
    for sizes in (_bounds, _sizes):
        if (found := sizes(*given)) is None:
            continue
        parameters, values, largest = found
        training = PARAMETER_COPIES * parameters + ACTIVATION_COPIES * batch_size * values
        evaluation = 2 * min(evaluated, EVALUATION_BATCH) * largest + OUTPUT_COPIES * evaluated * outputs
        needed = dtype.itemsize * (training + evaluation)
        if free is None or needed <= SAFE_SHARE * free:
            return
    what = f"model.name={name}: with {parameters:,} parameters and batches of {batch_size}, training needs"
    check_memory(what, needed, free=free)


@functools.lru_cache(maxsize=128)  # runs that differ in rates and seeds have the same model
def _bounds(
    name: str, arguments: str, input_shape: tuple[int, ...], outputs: int
) -> tuple[int, int, int] | None:
    """Return the same as `_sizes`, or more, without a forward pass; None if the model has other layers.

    No layer enlarges an image here, so that an output has at most as many values as the last convolution has
    channels and the input pixels. A forward pass makes torch import its compiler, which takes 1.5 s.
    """
    model = _on_meta(name, arguments, input_shape, outputs)
    flat, sizes = len(input_shape) == 1, [math.prod(input_shape)]
    for layer in (each for each in model.modules() if type(each).forward is not nn.Sequential.forward):
        if not _keeps_size(layer) or (isinstance(layer, nn.Linear) and not flat):
            return None
        flat |= isinstance(layer, nn.Flatten)
        match layer:
            case nn.Linear():
                sizes.append(layer.out_features)
            case nn.Conv2d():
                sizes.append(layer.out_channels * math.prod(input_shape[1:]))
            case _:
                sizes.append(sizes[-1])
    return sum(parameter.numel() for parameter in model.parameters()), sum(sizes), max(sizes)


def _keeps_size(layer: nn.Module) -> bool:
    """Return whether a layer's output has at most the height and width of its input."""
    match layer:
        case nn.Conv2d(padding=(*padding,), dilation=dilation, kernel_size=kernel):
            each = zip(padding, dilation, kernel, strict=True)
            return all(2 * padded <= apart * (size - 1) for padded, apart, size in each)
        case nn.MaxPool2d() | nn.AvgPool2d():
            return layer.padding == 0
    return type(layer) in KEEPING


@functools.lru_cache(maxsize=128)
def _sizes(name: str, arguments: str, input_shape: tuple[int, ...], outputs: int) -> tuple[int, int, int]:
    """Return the model's parameters, the values that its layers give for a sample, and the most of one.

    Zeros where the model cannot take such a sample, which trying it will say.
    """
    sizes: list[int] = []

    def on_output(layer: str, output: Tensor) -> None:  # noqa: ARG001
        sizes.append(output.numel())

    model = _on_meta(name, arguments, input_shape, outputs)
    with torch.device("meta"):
        try:
            with torch.no_grad(), watch_layers(model, on_output):
                model(torch.zeros(1, *input_shape))
        except (RuntimeError, ValueError):
            sizes.clear()
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return parameters, math.prod(input_shape) + sum(sizes), max(sizes, default=0)


def _on_meta(name: str, arguments: str, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
    """Build the model on the meta device, where tensors have shapes and no memory."""
    with torch.device("meta"):
        return models.build(name, json.loads(arguments), input_shape=input_shape, outputs=outputs).eval()
