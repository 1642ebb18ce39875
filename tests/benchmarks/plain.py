"""The loop of somebody who minds its speed: tensors in memory, no number fetched before the run's end.

What an expert would write for one net: an epoch's batches are gathered at once, images are augmented by the
batch, the optimizer is fused, validation is one batch.
Axes: N samples, B of a batch, H and W pixels.
"""

import time

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from tests.benchmarks.images import Images
from tests.benchmarks.nets import OPTIMIZERS, net
from tests.benchmarks.recipe import Recipe, Trained


def train(recipe: Recipe, images: Images) -> Trained:
    """Train one run."""
    began = time.perf_counter()
    torch.manual_seed(recipe.seed)
    inputs_NCHW, val_NCHW = (each.unsqueeze(1).float() / 255 for each in (images.train_NHW, images.val_NHW))
    model = net(recipe, images.side)
    optimizer = OPTIMIZERS[recipe.optimizer](model.parameters(), lr=recipe.lr, fused=True)
    history = []
    ready = time.perf_counter()
    for _ in range(recipe.epochs):
        trained = _train_epoch(model, optimizer, inputs_NCHW, images.train_labels_N, recipe)
        history.append((*trained, *_validate(model, val_NCHW, images.val_labels_N)))
    accuracy = history[-1][-1].item()
    return Trained(ready - began, time.perf_counter() - ready, accuracy)


def _train_epoch(
    model: nn.Module, optimizer: Optimizer, inputs_NCHW: Tensor, labels_N: Tensor, recipe: Recipe
) -> tuple[Tensor, Tensor]:
    model.train()
    loss_sum, correct = torch.zeros(()), torch.zeros(())
    order_N = torch.randperm(len(labels_N))
    inputs, labels = (each[order_N].split(recipe.batch_size) for each in (inputs_NCHW, labels_N))
    for inputs_BCHW, labels_B in zip(inputs, labels, strict=True):
        outputs_BK = model(augment_batch(inputs_BCHW, recipe))
        loss = nn.functional.cross_entropy(outputs_BK, labels_B)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss_sum += loss.detach() * len(labels_B)
        correct += (outputs_BK.argmax(1) == labels_B).sum()
    return loss_sum / len(labels_N), correct / len(labels_N)


@torch.no_grad()
def _validate(model: nn.Module, inputs_NCHW: Tensor, labels_N: Tensor) -> tuple[Tensor, Tensor]:
    model.eval()
    outputs_NK = model(inputs_NCHW)
    loss = nn.functional.cross_entropy(outputs_NK, labels_N)
    return loss, (outputs_NK.argmax(1) == labels_N).float().mean()


def augment_batch(inputs_BCHW: Tensor, recipe: Recipe) -> Tensor:
    """Return images with fresh noise, each with a shift of its own that wraps round, half of them flipped."""
    if recipe.noise:
        inputs_BCHW = inputs_BCHW + recipe.noise * torch.randn_like(inputs_BCHW)
    if not (recipe.shift or recipe.flip):
        return inputs_BCHW
    size, side = len(inputs_BCHW), inputs_BCHW.shape[-1]
    rows_BH = columns_BW = torch.arange(side).expand(size, side)
    if recipe.shift:
        down_B1, right_B1 = torch.randint(-recipe.shift, recipe.shift + 1, (2, size, 1))
        rows_BH, columns_BW = (rows_BH - down_B1) % side, (columns_BW - right_B1) % side
    if recipe.flip:
        columns_BW = torch.where(torch.rand(size, 1) < 0.5, side - 1 - columns_BW, columns_BW)
    which_B11 = torch.arange(size).view(size, 1, 1)
    return inputs_BCHW.squeeze(1)[which_B11, rows_BH.unsqueeze(2), columns_BW.unsqueeze(1)].unsqueeze(1)
