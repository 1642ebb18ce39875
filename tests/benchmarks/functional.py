"""Many seeds as one by hand: torch.func stacks the nets, vmap trains them, one fused optimizer steps them.

What an expert would write for an ensemble; each member has its own initial weights and its own batches.
Axes: R members, N samples, B of a batch, K classes; C, H and W of an image.
"""

import copy
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap

from tests.benchmarks.images import Images
from tests.benchmarks.nets import OPTIMIZERS, net
from tests.benchmarks.recipe import Recipe, Trained

State = dict[str, Tensor]
Losses = tuple[Tensor, Tensor]  # each member's: a batch's loss, and how many of it are right


def train(recipe: Recipe, images: Images) -> Trained:
    """Train `recipe.members` seeds at once; the accuracy is their mean."""
    began = time.perf_counter()
    inputs_NCHW, val_NCHW = (each.unsqueeze(1).float() / 255 for each in (images.train_NHW, images.val_NHW))
    models = [_seeded(recipe, seed, images.side) for seed in range(recipe.seed, recipe.seed + recipe.members)]
    parameters, buffers = stack_module_state(models)  # type: ignore[arg-type]
    skeleton = copy.deepcopy(models[0]).to("meta")
    draws = [torch.Generator().manual_seed(seed) for seed in range(recipe.members)]
    optimizer = OPTIMIZERS[recipe.optimizer](list(parameters.values()), lr=recipe.lr, fused=True)
    history = []
    ready = time.perf_counter()
    step, measure = vmap(grad_and_value(_loss(skeleton), has_aux=True)), _loss(skeleton)
    for _ in range(recipe.epochs):
        skeleton.train()
        losses_R, correct_R = torch.zeros(2, recipe.members)
        order_RN = torch.stack([torch.randperm(len(inputs_NCHW), generator=each) for each in draws])
        for order_RB in order_RN.split(recipe.batch_size, dim=1):
            gradients, (loss_R, right_R) = step(
                parameters, buffers, inputs_NCHW[order_RB], images.train_labels_N[order_RB]
            )
            for name, gradient in gradients.items():
                parameters[name].grad = gradient
            optimizer.step()
            losses_R += loss_R.detach() * order_RB.shape[1]
            correct_R += right_R
        skeleton.eval()
        with torch.no_grad():
            validate = vmap(measure, in_dims=(0, 0, None, None))
            loss_R, right_R = validate(parameters, buffers, val_NCHW, images.val_labels_N)
        history.append((losses_R, correct_R, loss_R, right_R / len(val_NCHW)))
    accuracy = history[-1][-1].mean().item()
    return Trained(ready - began, time.perf_counter() - ready, accuracy)


def _seeded(recipe: Recipe, seed: int, side: int) -> nn.Module:
    torch.manual_seed(seed)
    return net(recipe, side)


def _loss(skeleton: nn.Module) -> Callable[[State, State, Tensor, Tensor], Losses]:
    """Return one member's loss of its batch, and how many it has right."""

    def loss(parameters: State, buffers: State, inputs_BCHW: Tensor, labels_B: Tensor) -> Losses:
        outputs_BK = functional_call(skeleton, (parameters, buffers), (inputs_BCHW,))
        right = (outputs_BK.argmax(1) == labels_B).sum()
        return nn.functional.cross_entropy(outputs_BK, labels_B), right

    return loss
