from fractions import Fraction

import pytest
import torch

from dlx.data.source import Arrays, Source
from dlx.data.split import split
from dlx.errors import RequestError

SIZES = {"train_size": None, "val_size": None, "test_size": None}


def arrays(count, labels=None, start=0):
    """Samples whose one feature is their own number, so that a split can be told apart."""
    numbers = torch.arange(start, start + count)
    return Arrays(numbers[:, None].double(), numbers % 3 if labels is None else torch.tensor(labels))


def parts(source, *, seed=0, stratify=False, **sizes):
    drawn = split(source, **{**SIZES, **sizes}, seed=seed, stratify=stratify)
    return drawn.train, drawn.val, drawn.test


def numbers(part):
    return part.inputs[:, 0].long().tolist()


def pool_only(count=100, labels=None):
    return Source(("a", "b", "c"), arrays(count, labels))


def with_own_sets():
    return Source(
        ("a", "b", "c"), arrays(100), validation=arrays(30, start=1000), test=arrays(40, start=2000)
    )


def test_counts_are_exact_and_the_three_splits_never_overlap():
    train, val, test = parts(pool_only(), train_size=50, val_size=20, test_size=30)
    drawn = numbers(train) + numbers(val) + numbers(test)
    assert (len(train), len(val), len(test)) == (50, 20, 30)
    assert sorted(drawn) == list(range(100))


def test_labels_stay_with_their_samples():
    for part in parts(pool_only(), val_size=20, test_size=30):
        assert part.labels.tolist() == [number % 3 for number in numbers(part)]


def test_a_split_is_drawn_at_random():
    train, val, test = parts(pool_only(), val_size=20, test_size=30)
    for part in (train, val, test):
        assert numbers(part) != sorted(numbers(part))
    assert set(numbers(val)) != set(range(20))


def test_only_the_split_seed_decides():
    torch.manual_seed(1)
    first = parts(pool_only(), val_size=20, seed=5)
    torch.manual_seed(2)
    again = parts(pool_only(), val_size=20, seed=5)
    other = parts(pool_only(), val_size=20, seed=6)
    assert [numbers(part) for part in first] == [numbers(part) for part in again]
    assert set(numbers(first[1])) != set(numbers(other[1]))


def test_the_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    parts(pool_only(), val_size=20, stratify=True)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("stratify", [False, True])
def test_a_smaller_training_split_is_part_of_a_larger_one_on_the_same_validation_samples(stratify):
    small = parts(pool_only(), train_size=10, val_size=20, test_size=30, stratify=stratify)
    large = parts(pool_only(), train_size=45, val_size=20, test_size=30, stratify=stratify)
    assert numbers(small[0]) == numbers(large[0])[:10]
    assert numbers(small[1]) == numbers(large[1])
    assert numbers(small[2]) == numbers(large[2])


def test_the_test_size_moves_neither_training_nor_validation():
    none = parts(pool_only(), train_size=40, val_size=20, test_size=0)
    some = parts(pool_only(), train_size=40, val_size=20, test_size=30)
    assert numbers(none[0]) == numbers(some[0])
    assert numbers(none[1]) == numbers(some[1])
    assert len(none[2]) == 0


def test_fractions_are_of_the_pool_and_fit_when_they_sum_to_one():
    train, val, test = parts(pool_only(101), train_size=0.5, val_size=0.25, test_size=0.25)
    assert (len(train), len(val), len(test)) == (50, 25, 25)
    assert len(parts(pool_only(), val_size=0.29)[1]) == 29  # 0.29 * 100 is 28.999999999999996


def test_one_sample_and_all_samples_are_distinguished():
    assert len(parts(pool_only(), train_size=1, val_size=20)[0]) == 1
    assert len(parts(with_own_sets(), train_size=1.0)[0]) == 100


def test_null_is_a_tenth_to_validate_on_no_test_and_the_rest_to_train_on():
    assert [len(part) for part in parts(pool_only())] == [90, 10, 0]


def test_null_takes_the_sources_own_sets_whole_and_in_order():
    train, val, test = parts(with_own_sets())
    assert sorted(numbers(train)) == list(range(100))
    assert numbers(val) == list(range(1000, 1030))
    assert numbers(test) == list(range(2000, 2040))


def test_a_size_draws_from_the_sources_own_sets():
    train, val, test = parts(with_own_sets(), train_size=60, val_size=10, test_size=0.5)
    assert (len(train), len(val), len(test)) == (60, 10, 20)
    assert set(numbers(val)) < set(range(1000, 1030))
    assert numbers(val) != list(range(1000, 1010))
    assert set(numbers(test)) < set(range(2000, 2040))
    assert set(numbers(train)) < set(range(100))


def test_own_validation_and_test_sets_are_drawn_independently():
    source = Source(("a",), arrays(9), validation=arrays(40), test=arrays(40))
    _, val, test = parts(source, val_size=20, test_size=20)
    assert set(numbers(val)) != set(numbers(test))


def test_the_training_part_of_a_source_with_its_own_test_set_gives_validation():
    source = Source(("a", "b", "c"), arrays(100), test=arrays(40, start=2000))
    train, val, test = parts(source, val_size=25)
    assert sorted(numbers(train) + numbers(val)) == list(range(100))
    assert (len(train), len(val), len(test)) == (75, 25, 40)


LABELS = [0] * 70 + [1] * 20 + [2] * 10


@pytest.mark.parametrize("seed", range(5))
def test_stratified_splits_keep_the_classes_shares(seed):
    sizes = {"train_size": 50, "val_size": 30, "test_size": 20}
    for part in parts(pool_only(100, LABELS), **sizes, seed=seed, stratify=True):
        for label, share in enumerate((Fraction(7, 10), Fraction(2, 10), Fraction(1, 10))):
            assert abs(int((part.labels == label).sum()) - share * len(part)) <= 1


def test_without_stratify_the_shares_are_left_to_chance():
    firsts = [
        int((parts(pool_only(100, LABELS), val_size=30, seed=s)[1].labels == 0).sum()) for s in range(9)
    ]
    assert max(firsts) - min(firsts) > 2


def test_stratified_totals_are_exact_where_shares_do_not_divide():
    train, val, test = parts(pool_only(97), train_size=31, val_size=17, test_size=13, stratify=True)
    assert (len(train), len(val), len(test)) == (31, 17, 13)
    assert len({*numbers(train), *numbers(val), *numbers(test)}) == 61


def test_every_front_of_a_stratified_training_split_has_the_shares():
    train, _, _ = parts(pool_only(300, [0] * 200 + [1] * 100), val_size=1, stratify=True)
    ones = torch.cumsum(train.labels, 0)
    for count in range(1, len(train)):
        assert abs(int(ones[count - 1]) - count / 3) <= 1


def test_stratifying_draws_within_a_class_by_the_seed():
    first = parts(pool_only(100, LABELS), val_size=30, stratify=True, seed=0)[1]
    other = parts(pool_only(100, LABELS), val_size=30, stratify=True, seed=1)[1]
    assert set(numbers(first)) != set(numbers(other))


def test_draws_from_own_sets_are_stratified_too():
    own = arrays(100, LABELS, start=1000)
    _, val, _ = parts(Source(("a", "b", "c"), arrays(9), validation=own), val_size=10, stratify=True)
    assert torch.bincount(val.labels).tolist() == [7, 2, 1]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"train_size": 200}, r"data\.train_size=200: the data has only 100 training samples"),
        ({"val_size": 101}, r"data\.val_size=101: the data has only 100 training samples"),
        (
            {"train_size": 90, "val_size": 20, "test_size": 5},
            r"data\.train_size=90: of 100 training samples, validation takes 20 .* test 5 .* leaves 75",
        ),
        ({"val_size": 60, "test_size": 60}, r"of 100 training samples, validation takes 60 .* test 60"),
        ({"val_size": 60, "test_size": 40}, r"data\.train_size=null: leaves no sample to train on"),
        ({"train_size": 0, "val_size": 10}, r"data\.train_size=0: leaves no sample to train on"),
        ({"val_size": 0}, r"data\.val_size=0: leaves no validation sample"),
        ({"val_size": 0.001}, r"data\.val_size=0\.001: leaves no validation sample"),
    ],
)
def test_impossible_sizes_are_refused_with_the_counts(sizes, message):
    with pytest.raises(RequestError, match=message):
        parts(pool_only(), **sizes)


def test_a_size_above_that_of_the_sources_own_set_is_refused():
    with pytest.raises(RequestError, match=r"data\.test_size=41: the data has only 40 test samples"):
        parts(with_own_sets(), test_size=41)
    with pytest.raises(RequestError, match=r"data\.val_size=31: the data has only 30 validation samples"):
        parts(with_own_sets(), val_size=31)


def test_without_a_seed_the_samples_keep_their_own_order():
    train, val, test = parts(pool_only(), seed=None, train_size=50, val_size=20, test_size=30)
    assert numbers(val) == list(range(20))
    assert numbers(train) == list(range(20, 70))
    assert numbers(test) == list(range(70, 100))
    _, val, test = parts(with_own_sets(), seed=None, val_size=5)
    assert (numbers(val), numbers(test)) == (list(range(1000, 1005)), list(range(2000, 2040)))
