"""A small run on known data, built without a configuration."""

from dataclasses import replace

import pytest
import torch

from dlx import rng
from dlx.data.dataset import Dataset, Split
from dlx.engine.run import Run, Seeds
from dlx.loss.losses import losses
from dlx.model.models import models
from dlx.optimizer.optimizers import optimizers
from dlx.optimizer.schedule import build_schedule, schedules

CPU = torch.device("cpu")


def make_run(**changes):
    """22 training and 10 validation samples of 5 features in 3 classes; 3 epochs of 6 batches of 4."""
    draws = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(40, 5, generator=draws), torch.randint(3, (40,), generator=draws)
    splits = [Split(inputs[a:b], labels[a:b]) for a, b in ((0, 22), (22, 32), (32, 40))]
    with rng.global_state(changes.pop("init_seed", 0), "init"):
        model = changes.pop("model", None) or models.build(
            "mlp", changes.pop("model_arguments", {"sizes": [8]}), input_shape=(5,), outputs=3
        )
    adam = {"lr": changes.pop("lr", 0.05), "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0}
    built = optimizers.build("adam", adam, parameters=list(model.parameters()))
    for group in built[0].param_groups:
        group["initial_lr"] = group["lr"]
    run = Run(
        data=Dataset("known", ("a", "b", "c"), *splits),
        model=model,
        optimizers=built,
        schedule=schedules.build("constant", {}, total=18, steps_per_epoch=6),
        loss=losses.build("cross_entropy", {"reduction": "mean", "label_smoothing": 0.0}),
        augment=None,
        seeds=Seeds(order=0, augment=0, dropout=0),
        epochs=3,
        batch_size=4,
        shuffle=True,
        drop_last=False,
        device=CPU,
    )
    return replace(run, **changes)


@pytest.fixture(name="make_run")
def make_run_fixture():
    return make_run


@pytest.fixture
def exponential():
    return build_schedule(
        "exponential", {"decay": 0.5, "per": "epoch"}, warmup_epochs=0, epochs=3, steps_per_epoch=6
    )
