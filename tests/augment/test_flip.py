import pytest
import torch

from dlx.augment.flip import Flip
from dlx.errors import RequestError


def test_only_the_drawn_images_are_mirrored_left_to_right() -> None:
    images = torch.arange(12.0).view(2, 1, 2, 3)
    flipped = Flip.apply(images, torch.tensor([True, False]))
    assert flipped[0, 0].tolist() == [[2, 1, 0], [5, 4, 3]]
    assert torch.equal(flipped[1], images[1])
    assert torch.equal(images, torch.arange(12.0).view(2, 1, 2, 3))


@pytest.mark.parametrize(("flip", "share"), [(True, 0.5), (0.2, 0.2), (1.0, 1.0)])
def test_true_is_half_of_the_images_and_a_number_its_share(flip: bool | float, share: float) -> None:
    draws = Flip(flip).draw(torch.Generator().manual_seed(0), (10000, 1, 2, 2))
    assert draws.float().mean().item() == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("flip", [-0.1, 2.0])
def test_a_probability_outside_0_to_1_is_refused(flip: float) -> None:
    with pytest.raises(RequestError, match=r"augment.flip=.*: give true, false or a probability"):
        Flip(flip)
