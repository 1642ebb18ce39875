"""Folds: every sample is validated on once a repeat, with equal shares of the classes, and test is untouched."""

import numpy as np
import pytest
import torch
from sklearn.model_selection import StratifiedKFold

from dlx.data.folds import fold_of_each, note_on_small_classes
from dlx.data.source import Arrays, Source
from dlx.data.split import Fold, split
from dlx.errors import RequestError

LABELS = torch.tensor([0] * 31 + [1] * 17 + [2] * 4)


def source(labels=LABELS, **parts):
    numbers = torch.arange(len(labels))[:, None].double()  # so that a sample can be told by its input
    return Source(("a", "b", "c"), Arrays(numbers, labels), **parts)


def drawn(number, repeat=1, folds=5, data=None, seed=0, **sizes):
    sizes = {"train_size": None, "val_size": 0.2, "test_size": None} | sizes
    return split(data or source(), **sizes, seed=seed, stratify=False, fold=Fold(folds, number, repeat))


def rows(arrays):
    return arrays.inputs[:, 0].long().tolist()


def test_the_counts_of_each_class_are_those_of_scikit_learns_stratified_folds():
    ours = [torch.bincount(LABELS[fold_of_each(LABELS, 4) == fold], minlength=3) for fold in range(1, 5)]
    folds = StratifiedKFold(4, shuffle=True, random_state=0).split(np.zeros(len(LABELS)), LABELS.numpy())
    theirs = [np.bincount(LABELS.numpy()[test], minlength=3) for _, test in folds]
    for column in range(3):
        assert sorted(int(c[column]) for c in ours) == sorted(int(c[column]) for c in theirs)
    sizes = [int(counts.sum()) for counts in ours]
    assert max(sizes) - min(sizes) <= 1


def test_every_sample_is_validated_on_once_in_a_repeat_and_never_trained_on_in_that_fold():
    parts = [drawn(number) for number in range(1, 6)]
    assert sorted(row for part in parts for row in rows(part.val)) == list(range(len(LABELS)))
    for part in parts:
        assert sorted(rows(part.train) + rows(part.val)) == list(range(len(LABELS)))
        assert part.val_rows.tolist() == rows(part.val)


def test_each_repeat_has_other_folds_and_the_same_one_is_drawn_again():
    first, again, second = drawn(1), drawn(1), drawn(1, repeat=2)
    assert rows(first.val) == rows(again.val)
    assert set(rows(first.val)) != set(rows(second.val))


def test_the_test_samples_do_not_depend_on_the_folds():
    alone = split(source(), train_size=None, val_size=0.2, test_size=10, seed=0, stratify=False)
    for number, repeat in ((1, 1), (3, 2)):
        part = drawn(number, repeat, test_size=10)
        assert rows(part.test) == rows(alone.test)
        assert set(rows(part.train) + rows(part.val)) == set(rows(alone.train) + rows(alone.val))
    own = source(test=Arrays(torch.zeros(7, 1), torch.zeros(7, dtype=torch.int64)))
    assert len(drawn(1, data=own).test) == 7


def test_what_would_be_training_and_validation_is_what_is_divided():
    part = drawn(2, train_size=24, val_size=6)
    assert (len(part.train), len(part.val)) == (24, 6)
    assert len(drawn(2, folds=3, train_size=24, val_size=6).val) == 10


def test_numbers_are_divided_without_classes():
    numbers = torch.linspace(0, 1, 11)
    sizes = torch.bincount(fold_of_each(numbers, 3))[1:].tolist()
    assert sorted(sizes) == [3, 4, 4]


def test_what_cannot_be_divided_is_refused():
    with pytest.raises(RequestError, match=r"data\.folds=60: there are only 52 samples to divide"):
        drawn(1, folds=60)
    part = Arrays(torch.zeros(7, 1), torch.zeros(7, dtype=torch.int64))
    with pytest.raises(RequestError, match=r"data\.folds=5: the data set has a validation set of its own"):
        drawn(1, data=source(validation=part))


def test_a_class_with_fewer_samples_than_folds_is_named():
    (sentence,) = note_on_small_classes(LABELS, ("a", "b", "c"), 5)
    assert sentence == "data.folds=5: class 'c' has 4 samples, so some folds have none"
    assert note_on_small_classes(LABELS, ("a", "b", "c"), 4) == []
