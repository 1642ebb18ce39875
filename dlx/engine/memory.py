"""Estimates what training a model takes before any of it is asked for, from the shapes of its tensors."""

import functools
import json
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dlx.device import check_memory
from dlx.engine.evaluation import evaluation_batch
from dlx.engine.model_summary import watch_layers
from dlx.engine.stack_width import ACTIVATION_COPIES, PARAMETER_COPIES, free_bytes
from dlx.model.models import models

OUTPUT_COPIES = 3  # of the validation outputs: each batch's, all of them, their probabilities


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
    sizes: list[int] = []

    def on_output(layer: str, output: Tensor) -> None:  # noqa: ARG001
        sizes.append(output.numel())

    with torch.device("meta"):
        model = models.build(name, json.loads(arguments), input_shape=input_shape, outputs=outputs).eval()
        try:
            with torch.no_grad(), watch_layers(model, on_output):
                model(torch.zeros(1, *input_shape))
        except (RuntimeError, ValueError):
            sizes.clear()
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return parameters, math.prod(input_shape) + sum(sizes), max(sizes, default=0)
