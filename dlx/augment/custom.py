"""The user's own change to training images: `augment=custom augment.target=package.module:Name`.

This runs the user's code. Axes: B images of the batch, C channels, H height, W width.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from dlx.own.target import Target, load_target, seeded
from dlx.rng import derive_seed


class OwnTransform:
    """A function of the user's that changes a batch; the same draws for the same generator and step.

    `arguments` are its keys: `target`, `per_image`, and the arguments of what that names. A class is built
    with these and then called, a function gets them with every batch. It is given the run's generator if it
    has a parameter `generator`; otherwise the global generators of torch, NumPy and Python are seeded for it.
    """

    def __init__(
        self, arguments: Mapping[str, Any], input_shape: tuple[int, ...], own_keys: tuple[str, ...]
    ) -> None:
        rest = {key: value for key, value in arguments.items() if key not in ("target", "per_image")}
        self._own = load_target("augment", str(arguments["target"]))
        self._per_image = bool(arguments.get("per_image", False))
        self._function, self._takes_generator = _function(self._own, rest, own_keys)
        self._seed, self._calls = -1, 0
        self._check(torch.zeros(2, *input_shape))

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the changed images, [B, C, H, W] or [B, F]."""
        if self._takes_generator:
            return self._apply(partial(self._function, generator=generator), images)
        seed = generator.initial_seed()  # asking for a draw would wait for a GPU
        self._calls = self._calls + 1 if seed == self._seed else 0
        self._seed = seed
        with seeded(derive_seed(seed, "own transform", self._calls)):
            return self._apply(self._function, images)

    def _apply(self, function: Callable[..., Any], images: Tensor) -> Tensor:
        changed = torch.stack([*map(function, images)]) if self._per_image else function(images)
        assert isinstance(changed, Tensor), "it was a tensor when it was tried"
        return changed

    def _check(self, images: Tensor) -> None:
        with self._own.in_one_line(f"for {'an image' if self._per_image else 'a batch'} of the data's shape"):
            if not isinstance(changed := self._try(images), Tensor) or changed.shape != images.shape:
                got = tuple(changed.shape) if isinstance(changed, Tensor) else f"a {type(changed).__name__}"
                self._own.refuse(
                    f"turns images of shape {tuple(images.shape)} into {got}; return images of that shape"
                )

    def _try(self, images: Tensor) -> object:
        given = {"generator": torch.Generator().manual_seed(0)} if self._takes_generator else {}
        with seeded(0):
            changed = [self._function(each, **given) for each in (images if self._per_image else [images])]
        tensors = all(isinstance(each, Tensor) for each in changed)
        return torch.stack(changed) if self._per_image and tensors else changed[0]


def _function(
    own: Target, arguments: Mapping[str, Any], own_keys: tuple[str, ...]
) -> tuple[Callable[..., Any], bool]:
    """Return what changes images, and whether it takes a generator."""
    if not own.is_class:
        given = {"generator": None} if "generator" in own.parameters else {}
        checked = own.check(arguments, given, own_keys, first=1)
        checked.pop("generator", None)
        return partial(own.builder, **checked), bool(given)
    built = own.call(**own.check(arguments, {}, own_keys))
    if not callable(built):
        own.refuse("an instance of it cannot be called with images")
    of_call = Target(own.group, own.target, built.forward if isinstance(built, torch.nn.Module) else built)
    return built, "generator" in of_call.parameters
