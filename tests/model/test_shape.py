import pytest

from dlx.errors import RequestError
from dlx.model.registry import models
from dlx.model.shape import feature_count, image_shape


def test_features_are_all_numbers_of_a_sample() -> None:
    assert feature_count((3, 32, 32)) == 3072
    assert feature_count((64,)) == 64


@pytest.mark.parametrize("name", ["lenet", "convnet", "cnn", "resnet"])
def test_an_image_model_on_flat_data_says_what_it_needs(name: str) -> None:
    message = rf"model.name={name}: needs images \(channels, height, width\), the data set has 64 features"
    with pytest.raises(RequestError, match=message):
        models.build(name, {}, input_shape=(64,), outputs=10)


@pytest.mark.parametrize(("name", "smallest"), [("lenet", 12), ("cnn", 8)])
@pytest.mark.parametrize("wide", [False, True])
def test_the_smallest_image_works_and_one_pixel_less_is_refused(name: str, smallest: int, wide: bool) -> None:
    models.build(name, {}, input_shape=(1, smallest, smallest), outputs=10)
    height, width = (smallest - 1, 40) if wide else (40, smallest - 1)
    message = (
        rf"model.name={name}: needs images of at least {smallest} x {smallest} pixels, .* {height} x {width}"
    )
    with pytest.raises(RequestError, match=message):
        models.build(name, {}, input_shape=(1, height, width), outputs=10)


def test_an_image_shape_is_handed_back() -> None:
    assert image_shape("lenet", (3, 12, 15), smallest=12) == (3, 12, 15)
