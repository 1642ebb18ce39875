"""The limit: a run's matrix products, forward and backward, and a fused optimizer step, and nothing else.

No autograd, activations, loss, norms, sums over biases, shuffling, augmentation or validation. Gradients of
weights are what the products give for a preset gradient of the outputs; those of biases are preset.
Axes: B of a batch, I inputs and O outputs of a layer.
"""

import time
from collections.abc import Sequence

import torch
from torch import Tensor

from tests.benchmarks.images import Images
from tests.benchmarks.nets import CLASSES, OPTIMIZERS
from tests.benchmarks.recipe import Recipe, Trained

PRESET = 1e-4  # so small that no weight of a run of 40,000 steps gets out of hand, and above denormals


class Products:
    """The products of one batch, into memory that is kept."""

    def __init__(self, weights_OI: Sequence[Tensor], batch_size: int) -> None:
        self.weights_OI = weights_OI
        self.outputs_BO = [torch.empty(batch_size, len(weight_OI)) for weight_OI in weights_OI]
        self.deltas_BO = [torch.full_like(outputs_BO, PRESET) for outputs_BO in self.outputs_BO]

    def forward(self, inputs_BI: Tensor) -> None:
        """Multiply a batch, or the smaller last one, through the layers."""
        size = len(inputs_BI)
        for weight_OI, outputs_BO in zip(self.weights_OI, self.outputs_BO, strict=True):
            inputs_BI = torch.mm(inputs_BI, weight_OI.T, out=outputs_BO[:size])

    def backward(self, inputs_BI: Tensor) -> None:
        """Multiply the outputs' gradient, the last of `deltas_BO`, back into the `.grad` of the weights."""
        size = len(inputs_BI)
        below = [inputs_BI, *(outputs_BO[:size] for outputs_BO in self.outputs_BO[:-1])]
        for layer in reversed(range(len(self.weights_OI))):
            weight_OI, delta_BO = self.weights_OI[layer], self.deltas_BO[layer][:size]
            torch.mm(delta_BO.T, below[layer], out=weight_OI.grad)
            if layer > 0:
                torch.mm(delta_BO, weight_OI, out=self.deltas_BO[layer - 1][:size])


@torch.no_grad()
def train(recipe: Recipe, images: Images) -> Trained:
    """Do what no training of this run can do without."""
    began = time.perf_counter()
    inputs_NI = images.train_NHW.flatten(1).float() / 255
    sizes = (inputs_NI.shape[1], *recipe.hidden, CLASSES)
    draws = torch.Generator().manual_seed(recipe.seed)
    shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
    weights = [torch.randn(shape, generator=draws) * 0.05 for shape in shapes]
    parameters = weights + [torch.zeros(outputs) for outputs, _ in shapes]
    for parameter in parameters:
        parameter.grad = torch.full_like(parameter, PRESET)
    products = Products(weights, recipe.batch_size)
    optimizer = OPTIMIZERS[recipe.optimizer](parameters, lr=recipe.lr, fused=True)
    ready = time.perf_counter()
    for _ in range(recipe.epochs):
        for batch_BI in inputs_NI.split(recipe.batch_size):
            products.forward(batch_BI)
            products.backward(batch_BI)
            optimizer.step()
    return Trained(ready - began, time.perf_counter() - ready, None)
