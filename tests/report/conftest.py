"""Studies as `dlx train` leaves them, written in milliseconds with the real writers."""

import copy
from pathlib import Path
from typing import Any

import pytest

from dlx.report.analysis import Analysis, Options, analyse
from dlx.report.load import load_study
from dlx.run.history import EpochRow, HistoryWriter
from dlx.run.result import Result, write_result

CONFIG: dict[str, Any] = {
    "name": "study",
    "output_root": "outputs",
    "slug": "x",
    "rerun": False,
    "model": {"name": "mlp", "width": 64, "norm": "none"},
    "optimizer": {"name": "adam", "lr": 0.001, "betas": [0.9, 0.999]},
    "schedule": {"name": "constant", "warmup": 0.0},
    "data": {"name": "digits", "root": "/data", "train_size": 1000, "split_seed": 0},
    "epochs": 4,
    "seed": 0,
    "seeds": {"init": 0, "order": 0, "augment": 0, "dropout": 0},
    "monitor": "val_accuracy",
    "device": "auto",
}

Epoch = tuple[
    float | None, float | None, float | None, float | None
]  # train loss, accuracy; val loss, accuracy


HOSTILE_NAMES = ["<script>alert(1)</script>", "[/]", "=cmd|'/C calc'!A0", "a\nb", "x|y", "\x1b[2J"]


class StudyBuilder:
    """Writes runs into one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(
        self,
        slug: str,
        epochs: list[Epoch],
        changes: dict[str, Any] | None = None,
        status: str | None = "completed",
        seed: int = 0,
        **result: Any,
    ) -> Path:
        """Write one run; `changes` are by dotted key; a run without a status has no result."""
        config = copy.deepcopy(CONFIG) | {"seed": seed, "seeds": dict.fromkeys(CONFIG["seeds"], seed)}
        for key, value in (changes or {}).items():
            *groups, leaf = key.split(".")
            node = config
            for group in groups:
                node = node.setdefault(group, {})
            node[leaf] = value
        folder = self.folder / slug
        (folder / ".hydra").mkdir(parents=True)
        (folder / ".hydra" / "config.yaml").write_text("seed: 0\n")
        rows = [
            EpochRow(epoch, 10 * epoch, 0.1 * epoch, 0.001, *values) for epoch, values in enumerate(epochs)
        ]
        writer = HistoryWriter(folder / "history.csv")
        for row in rows:
            writer.append(row)
        if status is None:
            return folder
        last, best = vars(rows[-1]), vars(max(rows, key=lambda row: row.val_accuracy or 0.0))
        values = {
            "time_seconds": 2.0,
            "device": "cpu",
            "epochs_run": len(rows) - 1,
            "last": last,
            "best": best,
        }
        values |= {"status": status, "identity": "0" * 64, "config": config, "versions": {"torch": "2.10"}}
        write_result(folder, Result.model_validate(values | result))
        return folder

    def analysis(self, **options: Any) -> Analysis:
        """Analyse the runs."""
        return analyse(load_study([self.folder]), Options(**options))

    def two_optimizers(self) -> Analysis:
        """Write two settings of two seeds, and a diverged run of the second; analyse them."""
        for name in ("adam", "sgd"):
            for seed, final in enumerate((0.9, 1 / 3)):
                self.run(f"{name}{seed}", self.curve(0.95, final), {"optimizer.name": name}, seed=seed)
        self.run("sgd2", self.curve(0.1), {"optimizer.name": "sgd"}, seed=2, status="diverged")
        return self.analysis()

    def hostile_norms(self) -> Analysis:
        """Write one run for each of HOSTILE_NAMES, best first; analyse them."""
        for index, name in enumerate(HOSTILE_NAMES):
            self.run(f"run{index}", self.curve(0.9 - index / 100), {"model.norm": name})
        return self.analysis()

    @staticmethod
    def curve(*val_accuracies: float) -> list[Epoch]:
        """Return an untrained epoch and then these validation accuracies, with training slightly above."""
        untrained: Epoch = (None, None, 2.3, 0.1)
        return [untrained, *((1 - value, value + 0.01, 1.1 - value, value) for value in val_accuracies)]

    def descent(
        self,
        slug: str,
        points: list[tuple[float, float]],
        heights: list[float],
        changes: dict[str, Any] | None = None,
        status: str = "completed",
    ) -> Path:
        """Write a run of a point over a surface, by default x squared plus y squared."""
        named = {
            "model.name": "point",
            "loss.name": "surface",
            "loss.function": "bowl",
            "data.name": "surface",
        }
        epochs: list[Epoch] = [(None, None, height, None) for height in heights]
        lowest = heights.index(min(heights))
        best = {"epoch": lowest, "val_loss": heights[lowest]}
        changes = named | {"monitor": "val_loss"} | (changes or {})
        folder = self.run(slug, epochs, changes, status=status, best=best)
        writer = HistoryWriter(folder / "history.csv", extra=("x", "y"))
        for epoch, ((x, y), values) in enumerate(zip(points, epochs, strict=True)):
            writer.append(EpochRow(epoch, epoch, 0.1 * epoch, 0.1, *values), {"x": x, "y": y})
        return folder


@pytest.fixture
def study(tmp_path: Path) -> StudyBuilder:
    return StudyBuilder(tmp_path / "study")


@pytest.fixture(scope="session")
def builder() -> type[StudyBuilder]:
    """Return the class itself, for studies that several tests look at."""
    return StudyBuilder
