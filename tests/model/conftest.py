from collections.abc import Iterator

import pytest

from dlx import rng


@pytest.fixture(autouse=True)
def _same_numbers_every_time() -> Iterator[None]:
    with rng.global_state(0, "test"):
        yield
