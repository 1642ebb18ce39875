"""The same run by skorch: arrays in memory, its own loop, training accuracy beside what it reports anyway."""

import time
from typing import Any

import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, EpochScoring
from skorch.dataset import Dataset
from skorch.helper import predefined_split
from torch import Tensor, nn

from tests.benchmarks.images import Images
from tests.benchmarks.nets import OPTIMIZERS, net
from tests.benchmarks.notebook import augment
from tests.benchmarks.recipe import Recipe, Trained


class Augmented(Dataset):
    """Images augmented one by one, where skorch has the hook for it."""

    def __init__(self, inputs: Tensor, labels_N: Tensor, recipe: Recipe) -> None:
        super().__init__(inputs, labels_N)
        self.recipe = recipe

    def transform(self, X: Tensor, y: Any) -> tuple[Tensor, Any]:
        """Return one sample as the net sees it."""
        return super().transform(augment(X, self.recipe), y)


class Clock(Callback):
    """When the first epoch began and the last one ended."""

    began = ended = 0.0

    def on_train_begin(self, net: NeuralNetClassifier, **_: Any) -> None:
        """Note the time."""
        self.began = time.perf_counter()

    def on_train_end(self, net: NeuralNetClassifier, **_: Any) -> None:
        """Note the time."""
        self.ended = time.perf_counter()


def train(recipe: Recipe, images: Images) -> Trained:
    """Train one run."""
    made = time.perf_counter()
    torch.manual_seed(recipe.seed)
    inputs = images.train_NHW.unsqueeze(1).float() / 255
    val = Dataset(images.val_NHW.unsqueeze(1).float() / 255, images.val_labels_N)
    clock = Clock()
    model = NeuralNetClassifier(
        net(recipe, images.side),
        criterion=nn.CrossEntropyLoss,
        optimizer=OPTIMIZERS[recipe.optimizer],
        lr=recipe.lr,
        batch_size=recipe.batch_size,
        max_epochs=recipe.epochs,
        iterator_train__shuffle=True,
        train_split=predefined_split(val),
        callbacks=[
            ("train_acc", EpochScoring("accuracy", lower_is_better=False, on_train=True, name="train_acc")),
            ("clock", clock),
        ],
        classes=list(range(10)),
        verbose=0,
    )
    if recipe.augments:
        model.fit(Augmented(inputs, images.train_labels_N, recipe), y=None)
    else:
        model.fit(inputs, images.train_labels_N)
    return Trained(clock.began - made, clock.ended - clock.began, model.history[-1, "valid_acc"])
