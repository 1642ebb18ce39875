"""A2 to A6 as one suite: 37 runs as recipes, the `dlx train` preset of each experiment, and one of them all.

A test holds each preset's runs against its recipes here.
"""

import json
from dataclasses import replace
from itertools import product

from tests.benchmarks.recipe import TRAIN_SAMPLES, VAL_SAMPLES, Recipe, shortened

SUITE = {
    "fashion_learning_rate": [  # A2
        Recipe(optimizer=optimizer, lr=lr)
        for optimizer, lr in product(("sgd", "adam"), (0.1, 0.01, 0.001, 0.0001))
    ],
    "fashion_batch_size": [Recipe(batch_size=size) for size in (4, 16, 32, 64, 128)],  # A3
    "fashion_batchnorm": [Recipe(), Recipe(norm="batch")],  # A4
    "fashion_augmentation": [  # A5
        Recipe(noise=noise, shift=shift, flip=flip, epochs=250)
        for noise, shift, flip in product((0.0, 0.01, 0.1, 0.2), (0, 1), (False, True))
    ],
    "fashion_width": [Recipe(hidden=(width, width // 2)) for width in (16, 32, 64, 128, 256, 512)],  # A6
}
RECIPES = [recipe for recipes in SUITE.values() for recipe in recipes]


def preset_of_all(size: float) -> str:
    """Return a preset of all runs; each experiment has a seed of its own, so that none shares a run."""
    cases = [
        case(replace(shortened(recipe, size), seed=seed))
        for seed, recipes in enumerate(SUITE.values())
        for recipe in recipes
    ]
    preset = {
        "defaults": [{"override /data": "fashion_mnist"}],
        "data": {"train_size": TRAIN_SAMPLES, "val_size": VAL_SAMPLES},
        "cases": cases,
    }
    return f"# @package _global_\n{json.dumps(preset)}\n"


def case(recipe: Recipe) -> dict[str, str | float]:
    """Return a recipe as keys of `dlx train`."""
    return {
        "optimizer": recipe.optimizer,
        "optimizer.lr": recipe.lr,
        "model.width": recipe.hidden[0],
        "model.norm": recipe.norm,
        "batch_size": recipe.batch_size,
        "epochs": recipe.epochs,
        "seed": recipe.seed,
        "augment.noise": recipe.noise,
        "augment.shift": recipe.shift,
        "augment.flip": str(recipe.flip).lower(),
    }
