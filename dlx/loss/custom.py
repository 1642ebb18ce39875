"""The user's own loss: `loss=custom loss.target=package.module:Name`. This runs the user's code.

Axes: R runs of a stack, B samples of a batch, K outputs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from dlx.loss.losses import Loss, OfFloats, losses
from dlx.own.target import Target, load_target

OWN_KEYS = ("name", "target", "reduction")  # of the group loss


@losses.register("custom")
def custom(*, target: str, reduction: Literal["mean", "sum"] = "mean", **arguments: Any) -> Loss:
    """Import `target` and return the loss that it computes from outputs [B, K] and labels [B].

    A class is built with the other keys and then called, as those of torch.nn are; a function gets them with
    every batch. The result has a value for each sample, [B], or is the mean over the batch. One that can
    leave the mean to dlx, by `reduction="none"`, is told to. A class may also be one of dlx's losses. Raises
    RequestError for all that the user can put right.
    """
    own = load_target("loss", target)
    given = {"reduction": "none"} if "reduction" in own.parameters else {}
    if isinstance(own.builder, type) and issubclass(own.builder, Loss):
        checked = own.check(arguments, {"reduction": reduction}, OWN_KEYS)
        built = own.call(**checked)
        assert isinstance(built, Loss), "building a class gives one of its instances"
        return built
    if not own.is_class:
        return OwnLoss(reduction, own, partial(own.builder, **own.check(arguments, given, OWN_KEYS, first=2)))
    computed = own.call(**own.check(arguments, given, OWN_KEYS))
    if not callable(computed):
        own.refuse("an instance of it cannot be called with outputs and labels")
    if isinstance(computed, nn.Module) and any(True for _ in computed.parameters()):
        own.refuse("has parameters of its own, which would not be trained; make them a part of the model")
    return OwnLoss(reduction, own, computed)


@dataclass(frozen=True, eq=False)
class OwnLoss(Loss):
    """A loss that a function of the user's computes."""

    of_floats: ClassVar[OfFloats] = "any"
    own: Target
    function: Callable[[Tensor, Tensor], Any]

    # Equal losses of a stack are computed at once, and a mean would then be over several runs.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def per_sample(self, outputs_BK: Tensor, labels_B: Tensor) -> Tensor:
        """Return [B]; where the function returns a mean, each sample has that."""
        value = self.function(outputs_BK, labels_B)
        if not isinstance(value, Tensor) or value.dim() > 1 or value.numel() not in (1, len(labels_B)):
            got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
            self.own.refuse(
                f"for outputs {tuple(outputs_BK.shape)} and labels {tuple(labels_B.shape)} it gave {got}; "
                "return a tensor with one value, or with one for each sample"
            )
        return value.expand(len(labels_B))

    def gradient(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Do as every loss does, but run by run, so that a mean is over one run's batch."""
        if outputs.dim() == 2:
            return super().gradient(outputs, labels)
        pairs = [super(OwnLoss, self).gradient(*run) for run in zip(outputs, labels, strict=True)]
        losses_RB, gradients_RBK = (torch.stack(parts) for parts in zip(*pairs, strict=True))
        return losses_RB, gradients_RBK
