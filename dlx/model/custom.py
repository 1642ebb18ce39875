"""The user's own model: `model=custom model.target=package.module:Name`. This runs the user's code.

Axes: B batch, K outputs.
"""

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from dlx.errors import RequestError
from dlx.model.models import draw_from_generators, models
from dlx.own.target import Target, load_target

OWN_KEYS = ("name", "init", "target")  # of the group model
# What people call the number of classes, of channels, of features and of pixels a side. The names of one line
# mean the same; the first that a constructor has is given, and the second line only if none of the first is.
CLASSES = ("outputs", "num_classes", "n_classes", "nb_classes", "num_labels", "n_outputs", "num_outputs")
LAST_WIDTH = ("output_dim", "output_size", "out_dim", "out_features")
CHANNELS = ("in_channels", "in_chans", "input_channels", "in_ch")
FEATURES = ("in_features", "input_dim", "in_dim", "input_size", "n_features", "num_features", "n_inputs")
SIDE = ("image_size", "img_size")
SAID = {"outputs", "input_shape"}  # documented names, which need no line


SOFTMAX_TWICE = (
    "its outputs sum to 1, as after a softmax. cross_entropy applies a softmax of its own, and two of them "
    "train slowly; return the values before yours"
)


def nothing_said(line: str) -> None:
    """Take a line that nobody wants to read."""


@models.register("custom")
def custom(
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    target: str,
    tell: Callable[[str], None] = nothing_said,
    **arguments: Any,
) -> nn.Module:
    """Import `target`, a class or function that returns an nn.Module, and call it with the other keys.

    The keys are checked against its signature first. What it asks for of the data's shape is passed as well,
    `input_shape` ((C, H, W) or (F,)) and `outputs` or the names above, and `tell` is given a line on it.
    Dropout draws from the run's generator. Raises RequestError for all that the user can put right.
    """
    own = load_target("model", target)
    fixed = any(arguments.get(key) for key in ("weights", "pretrained"))  # then the weights fix the classes
    given = _asked_for(own.parameters, arguments, input_shape, outputs, fixed=fixed)
    checked = own.check(arguments, given, OWN_KEYS)
    if said := [f"{key}={value}" for key, value in given.items() if key not in SAID]:
        tell(f"model.target={target}: {', '.join(said)} from the data; your own value replaces it")
    model = _build(own, checked, outputs, classes_given=fixed or bool({*CLASSES} & {*given, *arguments}))
    if not isinstance(model, nn.Module):
        own.refuse(f"returned a {type(model).__name__}, not a torch.nn.Module")
    if fixed and (replaced := _replace_head(model, outputs)):
        tell(f"model.target={target}: its last layer, '{replaced}', is a new one of {outputs} outputs")
    _make_lazy_layers(own, model, input_shape)
    draw_from_generators(model)
    return model


def _asked_for(
    parameters: Mapping[str, inspect.Parameter],
    arguments: Mapping[str, Any],
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    fixed: bool,
) -> dict[str, Any]:
    """Return what the constructor asks for of the data's shape, by the name that it uses."""
    required = {key for key, parameter in parameters.items() if parameter.default is parameter.empty}
    named = {key for key, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)} - {
        *arguments
    }
    given: dict[str, Any] = {"input_shape": input_shape} if "input_shape" in named else {}
    of_classes = named if not fixed else named & required
    for names in (CLASSES, LAST_WIDTH):
        if found := [key for key in names if key in of_classes]:
            given |= dict.fromkeys(found[:1], outputs)
            break
        if {*names} & {*arguments}:
            break
    if len(input_shape) == 1:
        # With a default, the last four could be a width inside the net.
        sure = [key for key in FEATURES if key in named and (key in required or key in FEATURES[:3])]
        return given | dict.fromkeys(sure[:1], input_shape[0])
    channels, height, width = input_shape
    given |= dict.fromkeys([key for key in CHANNELS if key in named][:1], channels)
    given |= dict.fromkeys([key for key in FEATURES[:3] if key in named][:1], channels * height * width)
    if height == width:
        given |= dict.fromkeys([key for key in SIDE if key in named][:1], height)
    return given


def _build(own: Target, arguments: Mapping[str, Any], outputs: int, *, classes_given: bool) -> Any:
    """Call the constructor; one with **kwargs, as torchvision's functions are, with num_classes."""
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in own.parameters.values())
    if takes_any and not classes_given:
        with suppress(RequestError):  # it may not know the name; without it, its own error is shown
            return own.call(num_classes=outputs, **arguments)
    return own.call(**arguments)


def _replace_head(model: nn.Module, outputs: int) -> str:
    """Replace the last linear layer if it has another number of outputs; return its name, "" if it stays."""
    name, last = next(
        (pair for pair in reversed(list(model.named_modules())) if isinstance(pair[1], nn.Linear)), ("", None)
    )
    if not name or last is None or last.out_features == outputs:
        return ""
    model.set_submodule(name, nn.Linear(last.in_features, outputs, bias=last.bias is not None))
    return name


@torch.no_grad()
def _make_lazy_layers(own: Target, model: nn.Module, input_shape: tuple[int, ...]) -> None:
    """Give lazy layers their weights, which torch draws when they first see data: two samples of zeros."""
    if not any(map(is_lazy, [*model.parameters(), *model.buffers()])):
        return
    training = model.training
    with own.in_one_line(f"its lazy layers cannot see a batch of shape {(2, *input_shape)}"):
        model.eval()(torch.zeros(2, *input_shape))
    model.train(training)
    if lazy := [name for name, parameter in model.named_parameters() if is_lazy(parameter)]:
        own.refuse(f"its forward does not use the lazy layer '{lazy[0].rpartition('.')[0]}'")


def are_probabilities(outputs_BK: Tensor) -> bool:
    """Return whether every row is at least 0 and sums to 1 within rounding, as after a softmax."""
    if outputs_BK.dim() != 2 or outputs_BK.shape[1] < 2 or not outputs_BK.is_floating_point():
        return False
    if (outputs_BK < 0).any():
        return False
    sums_B = outputs_BK.double().sum(1)
    rounding = 10 * torch.finfo(outputs_BK.dtype).eps
    return bool(torch.allclose(sums_B, torch.ones_like(sums_B), atol=rounding))


@dataclass(frozen=True)
class TakeOutput:
    """A forward hook that returns one tensor, the output's `key`, of a tuple or dict of them."""

    key: int | str

    def __call__(self, _module: nn.Module, _inputs: Any, output: Any) -> Any:
        """Return the tensor; an output that is a tensor already stays."""
        return output if isinstance(output, Tensor) else output[self.key]


def take_one_tensor(model: nn.Module, output: object, expected: tuple[int, int]) -> str:
    """Let a model that returns several tensors return the only one of shape `expected`, [B, K].

    Returns which that is, or "" if there is no such tensor, or more than one; then the model stays as it is.
    """
    if isinstance(output, Mapping):
        parts = list(output.items())
    elif isinstance(output, tuple | list):
        parts = list(enumerate(output))
    else:
        return ""
    fitting = [key for key, part in parts if isinstance(part, Tensor) and tuple(part.shape) == expected]
    if len(fitting) != 1:
        return ""
    model.register_forward_hook(TakeOutput(fitting[0]))
    return f"output[{fitting[0]!r}]"
