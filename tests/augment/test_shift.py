import pytest
import torch

from dlx.augment.shift import Shift


def test_each_image_is_rolled_as_torch_rolls_it_alone() -> None:
    images = torch.rand(6, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    moves = torch.tensor([[0, 0], [1, 0], [-2, 0], [0, 3], [0, -1], [-5, 9]])
    expected = torch.stack(
        [
            torch.roll(image, (int(down), int(right)), dims=(1, 2))
            for image, (down, right) in zip(images, moves, strict=True)
        ]
    )
    assert torch.equal(Shift.apply(images, moves), expected)


def test_moves_are_uniform_and_independent_between_directions() -> None:
    moves = Shift(1).draw(torch.Generator().manual_seed(0), (9000, 1, 8, 8))
    pair = (moves[:, 0] + 1) * 3 + moves[:, 1] + 1
    counts = torch.bincount(pair, minlength=9)
    assert moves.shape == (9000, 2)
    # 1000 expected in each of the nine cells, standard deviation 30.
    assert counts.tolist() == pytest.approx([1000] * 9, abs=120)


def test_the_input_is_left_as_it_is_and_float64_stays() -> None:
    images = torch.rand(2, 1, 4, 4, dtype=torch.float64)
    before = images.clone()
    shifted = Shift.apply(images, torch.tensor([[1, 1], [0, 0]]))
    assert torch.equal(images, before)
    assert shifted.dtype == torch.float64
    assert not torch.equal(shifted[0], images[0])


def test_images_that_are_not_contiguous_are_rolled_too() -> None:
    images = torch.rand(2, 4, 4, 3).permute(0, 3, 1, 2)
    moves = torch.tensor([[1, 2], [-1, 0]])
    assert torch.equal(Shift.apply(images, moves)[0], torch.roll(images[0], (1, 2), dims=(1, 2)))
