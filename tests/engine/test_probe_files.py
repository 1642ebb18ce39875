"""Sample images are the first of epoch 1, in the units of the data set's files, and augmented."""

import numpy as np
import pytest
import torch

from dlx import rng
from dlx.augment.pipeline import build_augment
from dlx.data.dataset import Dataset, Split
from dlx.data.standardise import fit
from dlx.engine.probe_files import sample_images

PIXELS = torch.randint(0, 256, (30, 2, 6, 6), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def image_run(make_run, *, method="mean_std", lazily=False, **changes):
    standardise = fit(method, PIXELS[:22], 255.0).to(dtype=torch.float32, device=torch.device("cpu"))
    labels = torch.arange(30) % 3
    splits = [
        Split(PIXELS[a:b], labels[a:b], standardise)
        if lazily
        else Split(standardise(PIXELS[a:b]), labels[a:b])
        for a, b in ((0, 22), (22, 26), (26, 30))
    ]
    data = Dataset("images", ("a", "b", "c"), *splits, standardise)
    return make_run(data=data, **changes)


@pytest.mark.parametrize("method", ["none", "unit", "mean_std", "mean_image"])
@pytest.mark.parametrize("lazily", [True, False])
def test_sample_images_are_the_first_of_epoch_1_in_the_units_of_the_files(make_run, method, lazily):
    run = image_run(make_run, method=method, lazily=lazily)
    first = torch.randperm(22, generator=rng.generator(0, "order", 1))[:5]
    images = sample_images(run, 5)
    np.testing.assert_allclose(images.before, PIXELS[first].float().numpy(), atol=1e-3)
    np.testing.assert_array_equal(images.after, images.before)
    assert images.labels.tolist() == (first % 3).tolist()


def test_sample_images_are_augmented_as_the_run_augments(make_run):
    run = image_run(make_run, augment=build_augment({"shift": 1}, (2, 6, 6)))
    images = sample_images(run, 22)
    shifts = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    found = [
        [shift for shift in shifts if np.allclose(np.roll(before, shift, (1, 2)), after, atol=1e-3)]
        for before, after in zip(images.before, images.after, strict=True)
    ]
    assert all(len(shifts_of_one) == 1 for shifts_of_one in found)
    assert len({shifts_of_one[0] for shifts_of_one in found}) > 3


def test_asking_for_too_many_sample_images_gives_all(make_run):
    assert sample_images(image_run(make_run), 64).before.shape == (22, 2, 6, 6)
