"""A recipe's net and its optimizer in plain torch, as a notebook writes them."""

from torch import nn, optim

from tests.benchmarks.recipe import Recipe

PIXELS, CLASSES = 28 * 28, 10
OPTIMIZERS: dict[str, type[optim.SGD] | type[optim.Adam]] = {"sgd": optim.SGD, "adam": optim.Adam}


def net(recipe: Recipe) -> nn.Sequential:
    """Return the net, with torch's own initial weights from the global random state."""
    layers: list[nn.Module] = [nn.Flatten()]
    features = PIXELS
    for width in recipe.hidden:
        layers.append(nn.Linear(features, width))
        if recipe.norm == "batch":
            layers.append(nn.BatchNorm1d(width))
        layers.append(nn.ReLU())
        features = width
    return nn.Sequential(*layers, nn.Linear(features, CLASSES))
