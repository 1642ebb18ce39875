"""The layers of a model: their names, sizes and costs, and a way to watch their outputs.

A layer is a module without children, or with parameters of its own. A residual block's output is therefore
that of its last activation.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod

from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

MODEL = "(model)"  # the name of a model that is a single layer

OnOutput = Callable[[str, Tensor], None]  # called with a layer's name and its output


@dataclass(frozen=True)
class LayerSummary:
    """One layer. `parameters` counts the trainable ones; shared ones count for the first of their layers."""

    layer: str
    module: str  # the name of its class
    output_shape: tuple[int, ...] | None  # of one sample; None if the output is not one tensor by sample
    parameters: int


def summarise_layers(
    model: nn.Module, output_shapes: Mapping[str, tuple[int, ...] | None]
) -> Sequence[LayerSummary]:
    """Summarise the layers in the order of the model; their parameters add up to the model's."""
    counted: set[int] = set()
    summaries = []
    for name, module in named_layers(model).items():
        own = [p for p in module.parameters(recurse=False) if p.requires_grad and id(p) not in counted]
        counted |= {id(p) for p in own}
        parameters = sum(p.numel() for p in own)
        summaries.append(LayerSummary(name, type(module).__name__, output_shapes.get(name), parameters))
    return summaries


def multiply_adds(layers: Sequence[LayerSummary]) -> int:
    """Estimate the multiply-adds of one sample's forward pass.

    Each weight counts once for each position in its layer's output (a pixel of a convolution, a step of a
    sequence), or once if the output's shape is unknown.
    """
    total = 0
    for layer in layers:
        shape = layer.output_shape or ()
        total += layer.parameters * prod(shape[1:] if layer.module.startswith("Conv") else shape[:-1])
    return total


def named_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Return the layers by qualified name, in the order of the model; a module used twice appears once."""
    return {
        name or MODEL: module
        for name, module in model.named_modules()
        if not any(True for _ in module.children()) or any(True for _ in module.parameters(recurse=False))
    }


@contextmanager
def watch_layers(model: nn.Module, on_output: OnOutput) -> Iterator[None]:
    """Call `on_output(name, output)` after each layer's forward pass, while the context lasts.

    Layers whose output is not one floating-point tensor are skipped. `output` is detached; copy it to keep
    it, because the next layer may overwrite it. The hook is global, because torch's TransformerEncoderLayer
    leaves its fused evaluation if one of its parts has a hook.
    """
    names = {id(module): name for name, module in named_layers(model).items()}

    def hook(module: nn.Module, _: object, output: object) -> None:
        name = names.get(id(module))
        if name is not None and isinstance(output, Tensor) and output.is_floating_point() and output.numel():
            on_output(name, output.detach())

    handle = register_module_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()
