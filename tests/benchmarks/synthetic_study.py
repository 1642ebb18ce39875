"""A study of any size without training: learning rates by widths by seeds, with the files of real runs.

    python tests/benchmarks/synthetic_study.py /tmp/large --runs 2000 --epochs 150
    /usr/bin/time -v dlx report /tmp/large --output /tmp/large-report

The configuration is the one `dlx train` composes, the files are written by the product's own writers, and
the curves are exponential approaches with noise, so that settings differ and seeds spread.
"""

import argparse
import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from dlx import __version__
from dlx.compose.request import compose
from dlx.run.formats import TableWriter
from dlx.run.history import COLUMNS, EpochRow
from dlx.run.identity import flatten, folder_name, identity
from dlx.run.paths import HISTORY
from dlx.run.predictions import write_predictions
from dlx.run.result import Result, write_result

SAMPLES, CLASSES = 500, 10
STEPS = 32  # of an epoch


def write_study(folder: Path, *, runs: int, epochs: int, seeds: int, predictions: bool = True) -> None:
    """Write `runs` completed runs of `epochs` epochs, each setting with `seeds` seeds, below `folder`."""
    base = base_config(epochs)
    settings = math.ceil(runs / seeds)
    rates = math.ceil(math.sqrt(settings))
    for run in range(runs):
        setting, seed = divmod(run, seeds)
        config = copy.deepcopy(base) | {"seed": seed, "name": folder.name}
        config["seeds"] = dict.fromkeys(config["seeds"], seed)
        config["optimizer"]["lr"] = float(f"{10 ** (-4 + 4 * (setting % rates) / rates):.3g}")
        config["model"]["width"] = 16 * (1 + setting // rates)
        write_run(folder / folder_name(config), config, np.random.default_rng(run), predictions)


def base_config(epochs: int) -> dict[str, Any]:
    """Return what `dlx train data=fashion_mnist epochs=...` composes."""
    return compose(["data=fashion_mnist", f"epochs={epochs}"]).runs[0].config


def write_run(folder: Path, config: dict[str, Any], draws: Generator, predictions: bool) -> None:
    """Write one completed run with the files that `dlx train` leaves by default."""
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "config.yaml").write_text("seed: 0\n")
    rows = curve(config, draws)
    TableWriter(folder / HISTORY, COLUMNS).append([tuple(vars(row).values()) for row in rows])
    if predictions:
        labels_N = draws.integers(0, CLASSES, SAMPLES)
        outputs_NK = draws.normal(size=(SAMPLES, CLASSES)) + 3 * np.eye(CLASSES)[labels_N]
        write_predictions(
            folder, last=outputs_NK, best=outputs_NK, labels=labels_N, last_epoch=len(rows) - 1, best_epoch=1
        )
    best = max(rows, key=lambda row: row.val_accuracy or 0.0)
    layers = [
        {"layer": f"linear{place}", "module": "Linear", "output_shape": [width], "parameters": 785 * width}
        for place, width in enumerate((config["model"]["width"], 10))
    ]
    values: dict[str, Any] = {
        "status": "completed",
        "identity": identity(config),
        "config": config,
        "last": vars(rows[-1]),
        "best": vars(best),
        "epochs_run": len(rows) - 1,
        "parameters": sum(layer["parameters"] for layer in layers),
        "layers": layers,
        "data": {"train": 1000, "val": SAMPLES, "classes": [str(label) for label in range(CLASSES)]},
        "time_seconds": rows[-1].time,
        "device": "cpu",
        "versions": {"dlx": __version__, "torch": "2.10"},
    }
    write_result(folder, Result.model_validate(values))


def curve(config: dict[str, Any], draws: Generator) -> list[EpochRow]:
    """Return an untrained epoch and then an approach to an end that is best at rate 0.01 and large widths."""
    settings = flatten(config)
    rate, width = settings["optimizer.lr"], settings["model.width"]
    end = 0.85 - 0.03 * math.log10(rate / 0.01) ** 2 - 1 / width + draws.normal(scale=0.005)
    rows = [EpochRow(0, 0, 0.001, None, None, None, 2.3, 0.1)]
    for epoch in range(1, config["epochs"] + 1):
        accuracy = end - (end - 0.1) * math.exp(-epoch * 20 * rate**0.5) + draws.normal(scale=0.004)
        val = round(min(1.0, max(0.0, accuracy)) * SAMPLES) / SAMPLES
        loss = 2.3 * math.exp(-2 * val) + abs(draws.normal(scale=0.002))
        rows.append(
            EpochRow(epoch, STEPS * epoch, 0.017 * epoch, rate, 0.9 * loss, min(1.0, val * 1.05), loss, val)
        )
    return rows


def main() -> None:
    """Read the command line and write the study."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("folder", type=Path, help="must not exist")
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=5, help="runs of each setting")
    parser.add_argument("--no-predictions", action="store_true")
    options = parser.parse_args()
    options.folder.mkdir(parents=True)
    write_study(
        options.folder,
        runs=options.runs,
        epochs=options.epochs,
        seeds=options.seeds,
        predictions=not options.no_predictions,
    )


if __name__ == "__main__":
    main()
