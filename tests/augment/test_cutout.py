import pytest
import torch

from dlx.augment.cutout import Cutout


@pytest.mark.parametrize("side", [1, 2, 3, 8])
def test_a_square_around_the_drawn_centre_is_zero_and_clipped_at_the_border(side: int) -> None:
    shape = (50, 2, 6, 9)
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0)) + 1
    draws = Cutout(side).draw(torch.Generator().manual_seed(1), shape)
    again = torch.Generator().manual_seed(1)
    centres = zip(*(torch.randint(n, (50,), generator=again).tolist() for n in (6, 9)), strict=True)
    expected = images.clone()
    for image, (row, column) in zip(expected, centres, strict=True):
        top, left = row - side // 2, column - side // 2
        image[:, max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = 0
    assert torch.equal(Cutout.apply(images, draws), expected)


def test_the_centre_is_uniform_over_the_pixels() -> None:
    images = torch.ones(12000, 1, 3, 4)
    draws = Cutout(1).draw(torch.Generator().manual_seed(0), (12000, 1, 3, 4))
    hits = (Cutout.apply(images, draws) == 0).sum(0).flatten()
    assert images.min() == 1
    # 1000 expected at each of the twelve pixels, standard deviation 30.
    assert hits.tolist() == pytest.approx([1000] * 12, abs=120)
