"""dlx: train a grid of networks, compare them, and say how far to trust the comparison."""

from dlx.api import evaluate, load, load_model, train

__all__ = ["__version__", "evaluate", "load", "load_model", "train"]
__version__ = "0.1.0"
