"""The same run by Lightning, on the notebook's data set; no logger, no checkpoints, no bars."""

import logging
import time
import warnings

import lightning
import torch
from lightning.pytorch.utilities.warnings import PossibleUserWarning
from torch import Tensor, nn
from torch.optim import Optimizer

from tests.benchmarks.images import Images
from tests.benchmarks.nets import OPTIMIZERS, net
from tests.benchmarks.notebook import loaders
from tests.benchmarks.recipe import Recipe, Trained

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Module(lightning.LightningModule):
    """Cross-entropy and accuracy, averaged over an epoch's batches by Lightning."""

    def __init__(self, recipe: Recipe, side: int) -> None:
        super().__init__()
        self.recipe = recipe
        self.model = net(recipe, side)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Return the loss of a batch."""
        return self._measure("train", batch)

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Measure a batch."""
        return self._measure("val", batch)

    def configure_optimizers(self) -> Optimizer:
        """Return the recipe's optimizer."""
        return OPTIMIZERS[self.recipe.optimizer](self.parameters(), lr=self.recipe.lr)

    def _measure(self, split: str, batch: tuple[Tensor, Tensor]) -> Tensor:
        inputs, labels = batch
        outputs = self.model(inputs)
        loss = nn.functional.cross_entropy(outputs, labels)
        accuracy = (outputs.argmax(1) == labels).float().mean()
        measured = {f"{split}_loss": loss, f"{split}_accuracy": accuracy}
        self.log_dict(measured, on_step=False, on_epoch=True, batch_size=len(labels))
        return loss


class Clock(lightning.Callback):
    """When the first epoch began and the last one ended."""

    began = ended = 0.0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Note the time."""
        self.began = time.perf_counter()

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Note the time."""
        self.ended = time.perf_counter()


def train(recipe: Recipe, images: Images) -> Trained:
    """Train one run."""
    made = time.perf_counter()
    torch.manual_seed(recipe.seed)
    clock = Clock()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PossibleUserWarning)  # that loading could have processes of its own
        warnings.filterwarnings("ignore", module="lightning")  # what it does itself with torch
        trainer = lightning.Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=recipe.epochs,
            callbacks=[clock],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(Module(recipe, images.side), *loaders(recipe, images))
    accuracy = float(trainer.callback_metrics["val_accuracy"])
    return Trained(clock.began - made, clock.ended - clock.began, accuracy)
