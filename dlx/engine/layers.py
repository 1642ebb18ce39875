"""The layers of a model: what they are called, how large they are, and what each gives as the model runs.

A layer is a module without children, or one that has parameters of its own. Between others nothing but
arithmetic happens: a residual block's output is that of its last activation.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod

from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

MODEL = "(model)"  # a model that is itself a layer has no name to be qualified by

See = Callable[[str, Tensor], None]


@dataclass(frozen=True)
class LayerFacts:
    """One layer; `parameters` are the trainable ones, shared ones counted where they come first."""

    layer: str
    module: str  # the name of its class
    output_shape: tuple[int, ...] | None  # of one sample; None for what is not one tensor by sample
    parameters: int


def named_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Return the layers by qualified name, in the order of the model; one used twice is there once."""
    return {
        name or MODEL: module
        for name, module in model.named_modules()
        if not any(True for _ in module.children()) or any(True for _ in module.parameters(recurse=False))
    }


@contextmanager
def watch(model: nn.Module, see: See) -> Iterator[None]:
    """Call `see(name, output)` each time a layer has run, while the context lasts.

    A layer whose output is not one floating tensor (a tuple, indices, nothing) is passed over. `output` is
    detached, and the next layer may write into it: take a copy to keep it. There is one hook for all modules
    and none on each: torch's TransformerEncoderLayer evaluates in one fused call, which runs none of its
    parts, unless it finds a hook on one of them.
    """
    names = {id(module): name for name, module in named_layers(model).items()}

    def hook(module: nn.Module, _: object, output: object) -> None:
        name = names.get(id(module))
        if name is not None and isinstance(output, Tensor) and output.is_floating_point() and output.numel():
            see(name, output.detach())

    handle = register_module_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def multiply_adds(layers: Sequence[LayerFacts]) -> int:
    """Return how many multiplications of a weight and a value one sample's forward pass takes, about.

    A weight is used once for each place of its layer's output: pixels of a convolution, steps of a sequence.
    Layers whose output shape is unknown count once.
    """
    total = 0
    for layer in layers:
        shape = layer.output_shape or ()
        total += layer.parameters * prod(shape[1:] if layer.module.startswith("Conv") else shape[:-1])
    return total


def describe_layers(
    model: nn.Module, output_shapes: Mapping[str, tuple[int, ...] | None]
) -> Sequence[LayerFacts]:
    """Return the table of layers; their parameters add up to those of the model."""
    counted: set[int] = set()
    facts = []
    for name, module in named_layers(model).items():
        own = [p for p in module.parameters(recurse=False) if p.requires_grad and id(p) not in counted]
        counted |= {id(p) for p in own}
        facts.append(
            LayerFacts(name, type(module).__name__, output_shapes.get(name), sum(p.numel() for p in own))
        )
    return facts
