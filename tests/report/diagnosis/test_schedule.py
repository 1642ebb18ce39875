"""What the learning rate did: rises, steps, and the middle of the training."""

import numpy as np

from dlx.report.diagnosis.schedule import changes, half_of_training, just_rose, since_last_step

E = np.arange(40)
CONSTANT = np.ones(40)
WARM_UP = np.minimum(1, (E + 1) / 5)
COSINE = (1 + np.cos(np.pi * (E + 1) / 40)) / 2
STEPS = np.where(E < 20, 1.0, np.where(E < 30, 0.1, 0.01))
RESTART = np.r_[COSINE[1::2], COSINE[1::2]]


def test_the_rate_has_just_risen_in_a_warm_up_and_after_a_restart() -> None:
    rose = just_rose(np.stack([CONSTANT, COSINE, STEPS, WARM_UP, RESTART]))
    assert not rose[:3].any()
    assert np.flatnonzero(rose[3]).tolist() == list(range(1, 13))  # until ten epochs after 0.6
    assert rose[4, 20]
    assert not rose[4, :20].any()


def test_steps_are_sudden_drops_of_a_steady_rate() -> None:
    since = since_last_step(np.stack([CONSTANT, COSINE, 0.5**E, STEPS]))
    assert since[:3].all()
    assert np.flatnonzero(since[3])[0] == 30


def test_changes_are_by_more_than_a_fifth() -> None:
    inside = np.broadcast_to(E >= 30, (4, 40))
    assert changes(np.stack([CONSTANT, COSINE, STEPS, 0.98**E]), inside).tolist() == [
        False,
        True,
        False,
        False,
    ]


def test_half_of_the_training_comes_early_where_the_rate_decays() -> None:
    half = half_of_training(np.stack([CONSTANT, COSINE]))
    assert half[0] == 19
    time = np.cumsum(COSINE) / COSINE.sum()
    assert time[half[1]] >= 0.5 > time[half[1] - 1]
