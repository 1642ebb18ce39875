"""How much memory runs take when they are trained as one, about, and how much there is."""

import math

import torch

from dlx.data.memory import available_bytes
from dlx.engine.run import Run

STATES = 4  # tensors of a parameter's size: itself, its gradient, two moments of Adam's
PASSES = 3  # of an activation's size: what the forward pass keeps, its gradient, and what is at work


def bytes_as_member(run: Run) -> int:
    """Return the bytes that one more run like this takes in a stack: parameters, states, activations."""
    itemsize = next(run.model.parameters()).element_size()
    parameters = sum(parameter.numel() for parameter in run.model.parameters())
    outputs = sum(math.prod(layer.output_shape) for layer in run.layers if layer.output_shape is not None)
    values = math.prod(run.data.input_shape) + outputs
    return itemsize * (STATES * parameters + PASSES * run.batch_size * values)


def bytes_of_data(run: Run) -> int:
    """Return the bytes of the run's splits, which runs on the same data share."""
    splits = (run.data.train, run.data.val, run.data.test)
    return sum(split.inputs.nbytes + split.labels.nbytes for split in splits)


def free_bytes(device: torch.device) -> int | None:
    """Return what is free on a CUDA device, for any other in main memory; None where nobody tells."""
    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else available_bytes()
