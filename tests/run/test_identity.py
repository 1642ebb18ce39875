"""Which requests are equal; tests/test_config.py tests composed configurations."""

import pytest

from dlx.run.identity import comparable, flatten, requested


def test_nested_groups_become_dotted_keys_and_lists_stay():
    nested = {"a": {"b": {"c": 1}, "d": [1, 2]}, "e": None}
    assert flatten(nested) == {"a.b.c": 1, "a.d": [1, 2], "e": None}


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        ({"a": [0.0, 1]}, {"a": [0, 1.0]}, True),
        (1, True, False),
        (0, None, False),
        (0.1, 0.2, False),
        ({"data.train_size": 1}, {"data.train_size": 1.0}, False),
    ],
)
def test_numbers_are_equal_by_value_but_sizes_also_by_type(one, other, equal):
    assert (comparable(one) == comparable(other)) is equal


def test_the_data_root_counts_only_for_the_users_own_files():
    assert requested({"name": "a", "data.root": "/a", "seed": 1}) == {"seed": 1}
    assert requested({"data.root": "/a", "data.path": "b"}) == {"data.root": "/a", "data.path": "b"}
