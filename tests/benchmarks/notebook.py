"""The notebook's loop: one image at a time through a DataLoader, a number fetched at every step.

Images as torchvision's FashionMNIST gives them with ToTensor (a Pillow image, then a tensor), augmented one
by one in torch. `Pictures` is Lightning's data set, too.
"""

import time

import torch
from PIL import Image
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import ToTensor

from tests.benchmarks.images import Images
from tests.benchmarks.nets import OPTIMIZERS, net
from tests.benchmarks.recipe import Recipe, Trained


class Pictures(Dataset[tuple[Tensor, int]]):
    """Images [1, H, W] in [0, 1] and labels, augmented as `recipe` says, if given."""

    def __init__(self, images_NHW: Tensor, labels_N: Tensor, recipe: Recipe | None = None) -> None:
        self.images_NHW, self.labels_N, self.recipe = images_NHW, labels_N, recipe
        self.transform = ToTensor()

    def __len__(self) -> int:
        return len(self.labels_N)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = self.transform(Image.fromarray(self.images_NHW[index].numpy()))
        if self.recipe is not None:
            image = augment(image, self.recipe)
        return image, int(self.labels_N[index])


def augment(image: Tensor, recipe: Recipe) -> Tensor:
    """Return one image [1, H, W] with fresh noise, a shift that wraps round, a flip half of the time."""
    if recipe.noise:
        image = image + recipe.noise * torch.randn_like(image)
    if recipe.shift:
        down, right = torch.randint(-recipe.shift, recipe.shift + 1, (2,)).tolist()
        image = torch.roll(image, (down, right), dims=(1, 2))
    if recipe.flip and torch.rand(()) < 0.5:
        image = image.flip(-1)
    return image


def loaders(recipe: Recipe, images: Images) -> tuple[DataLoader[Tensor], DataLoader[Tensor]]:
    """Return the shuffled training batches and the validation batches."""
    train = Pictures(images.train_NHW, images.train_labels_N, recipe if recipe.augments else None)
    val = Pictures(images.val_NHW, images.val_labels_N)
    return DataLoader(train, recipe.batch_size, shuffle=True), DataLoader(val, recipe.batch_size)


def train(recipe: Recipe, images: Images) -> Trained:
    """Train one run."""
    began = time.perf_counter()
    torch.manual_seed(recipe.seed)
    model = net(recipe, images.side)
    optimizer = OPTIMIZERS[recipe.optimizer](model.parameters(), lr=recipe.lr)
    train_loader, val_loader = loaders(recipe, images)
    ready = time.perf_counter()
    for _ in range(recipe.epochs):
        _train_epoch(model, optimizer, train_loader)
        _, accuracy = _validate(model, val_loader)
    return Trained(ready - began, time.perf_counter() - ready, accuracy)


def _train_epoch(model: nn.Module, optimizer: Optimizer, loader: DataLoader[Tensor]) -> tuple[float, float]:
    model.train()
    loss_sum, correct, samples = 0.0, 0, 0
    for inputs, labels in loader:
        outputs = model(inputs)
        loss = nn.functional.cross_entropy(outputs, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(labels)
        correct += (outputs.argmax(1) == labels).sum().item()
        samples += len(labels)
    return loss_sum / samples, correct / samples


@torch.no_grad()
def _validate(model: nn.Module, loader: DataLoader[Tensor]) -> tuple[float, float]:
    model.eval()
    loss_sum, correct, samples = 0.0, 0, 0
    for inputs, labels in loader:
        outputs = model(inputs)
        loss_sum += nn.functional.cross_entropy(outputs, labels).item() * len(labels)
        correct += (outputs.argmax(1) == labels).sum().item()
        samples += len(labels)
    return loss_sum / samples, correct / samples
