"""A small class: a reference of ten seeds and a folder for submissions, written with the real writers."""

import json

import numpy as np
import pytest

from tests.report.conftest import StudyBuilder

SAMPLES = {"train": 1000, "val": 400, "test": 0}


class Class:
    """`folder`: holds reference.yaml, the reference and the submissions."""

    def __init__(self, folder):
        self.folder = folder
        self.submissions = folder / "submissions"
        self.submissions.mkdir(parents=True)
        self.file = folder / "reference.yaml"
        self.write(figures=[{"metric": "val_accuracy"}])

    def write(self, **keys):
        """Write the reference's file; JSON is YAML."""
        self.file.write_text(json.dumps({"assignment": "exercise 1", **keys}))

    def run(self, owner, seed, accuracy, changes=None, **more):
        """Write a run of a student, or of "reference", that ends with an accuracy; its history is its own."""
        place = self.folder if owner == "reference" else self.submissions
        return write_run(place / owner, seed, accuracy, changes, **more)

    def reference(self, accuracies=None):
        """Write the reference's runs: accuracies of 360 to 369 of 400 samples by default."""
        for seed, accuracy in enumerate(accuracies or [(360 + seed) / 400 for seed in range(10)]):
            self.run("reference", seed, accuracy)


def write_run(study, seed, accuracy, changes=None, **more):
    """Write one run of five epochs; the losses are drawn from its seed and accuracy."""
    random = np.random.default_rng([seed, int(1e6 * accuracy)])
    rows = [(float(loss), accuracy, float(loss), accuracy) for loss in random.uniform(0.1, 0.2, 5)]
    rows = [(None, None, rows[0][2], 0.1), *rows[1:]]
    return StudyBuilder(study).run(f"run-s{seed}", rows, changes, seed=seed, data=SAMPLES, **more)


@pytest.fixture
def school(tmp_path):
    return Class(tmp_path / "class")
