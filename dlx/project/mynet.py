"""A network of your own: change it as you like."""

import math

from torch import Tensor, nn


class Net(nn.Module):
    """Two hidden layers. dlx passes `input_shape` and `outputs`; the other arguments are keys of model."""

    def __init__(self, input_shape: tuple[int, ...], outputs: int, *, hidden: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(math.prod(input_shape), hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, outputs),
        )

    def forward(self, inputs_B: Tensor) -> Tensor:
        """Return a score for each sample and class."""
        outputs_BK: Tensor = self.layers(inputs_B)
        return outputs_BK
