"""dlx: train a grid of networks, compare them, and say how far to believe the comparison."""

__version__ = "0.1.0"
