"""A2 to A6 as one suite: 37 runs as recipes, and the `dlx train` preset of each experiment.

A test holds each preset's runs against its recipes here.
"""

from itertools import product

from tests.benchmarks.recipe import Recipe

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
