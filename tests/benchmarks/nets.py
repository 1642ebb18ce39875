"""A recipe's net and its optimizer in plain torch, as a notebook writes them."""

from torch import nn, optim

from tests.benchmarks.own_net import Gated
from tests.benchmarks.recipe import Recipe

CLASSES = 10
OPTIMIZERS: dict[str, type[optim.SGD] | type[optim.Adam]] = {"sgd": optim.SGD, "adam": optim.Adam}


def net(recipe: Recipe, side: int = 28) -> nn.Module:
    """Return the net for grey images of `side` x `side`, with torch's own initial weights.

    They are drawn from the global random state.
    """
    if recipe.net == "own":
        return Gated((1, side, side), CLASSES, recipe.hidden[0])
    return _cnn(recipe, side) if recipe.net == "cnn" else _mlp(recipe, side)


def _mlp(recipe: Recipe, side: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    features = side * side
    for width in recipe.hidden:
        layers.append(nn.Linear(features, width))
        if recipe.norm == "batch":
            layers.append(nn.BatchNorm1d(width))
        layers.append(nn.ReLU())
        features = width
    return nn.Sequential(*layers, nn.Linear(features, CLASSES))


def _cnn(recipe: Recipe, side: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    incoming = 1
    for channels in recipe.hidden:
        layers.append(nn.Conv2d(incoming, channels, 3, padding=1, bias=recipe.norm == "none"))
        if recipe.norm == "batch":
            layers.append(nn.BatchNorm2d(channels))
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
        incoming, side = channels, side // 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(incoming * side * side, CLASSES))
