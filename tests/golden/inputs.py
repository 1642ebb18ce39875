"""The images, arrays and module that the requests bring along as a user's own."""

from pathlib import Path

import numpy as np
from PIL import Image

MODULE = """
import torch


class Net(torch.nn.Module):
    def __init__(self, input_shape, outputs, hidden):
        super().__init__()
        self.first = torch.nn.Linear(input_shape[0], hidden)
        self.second = torch.nn.Linear(hidden, outputs)

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))
"""
CONFIGURATION = "name: custom\ntarget: mynet:Net\nhidden: 6\ninit: xavier_normal\n"


def prepare(folder: Path) -> None:
    """Write pictures/, arrays.npz, mynet.py and conf/model/mine.yaml, the same every time."""
    generator = np.random.default_rng(0)
    for number, name in enumerate(("circle", "cross", "square")):
        (folder / "pictures" / name).mkdir(parents=True)
        for index in range(40):
            pixels = generator.integers(0, 160, size=(16, 16, 3), dtype=np.uint8)
            pixels[4 * number : 4 * number + 6, 2:14, number] += 90
            Image.fromarray(pixels).save(folder / "pictures" / name / f"{index}.png")
    labels = np.arange(200) % 3
    inputs = generator.normal(size=(200, 12)) + labels[:, None] * np.linspace(0, 1, 12)
    np.savez(folder / "arrays.npz", inputs=inputs, labels=labels)
    (folder / "mynet.py").write_text(MODULE)
    (folder / "conf" / "model").mkdir(parents=True)
    (folder / "conf" / "model" / "mine.yaml").write_text(CONFIGURATION)
