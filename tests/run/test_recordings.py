"""What a run that has ended lacks of what is asked for, and the union of two requests."""

from typing import Any

import pytest

from dlx.run.recordings import (
    covers,
    is_recording,
    lacking,
    recordings,
    why_no_checkpoint,
    with_recordings,
)
from dlx.run.result import Result

PROBES: dict[str, Any] = {"layers": True, "logits": [1, 5], "train_samples": 100, "images": 4}


def ended(keep: str | None, *, kept: bool = True, best: int = 3, **probes: Any) -> Result:
    """A run of 3 epochs that kept a checkpoint or none."""
    config = ({"keep": keep} if keep else {}) | ({"probes": probes} if probes else {})
    return Result.model_validate(
        {
            "status": "completed",
            "identity": "ab" * 32,
            "config": config,
            "last": {"epoch": 3},
            "best": {"epoch": best},
            "checkpoint_sha256": "cd" * 32 if kept else None,
        }
    )


@pytest.mark.parametrize("asked", ["none", "auto", "last", "best"])
@pytest.mark.parametrize(
    ("had", "enough"),
    [
        (ended("none", kept=False), {"none", "auto"}),
        (ended(None, kept=False), {"none", "auto"}),
        (ended("auto", kept=False), {"none", "auto"}),  # too large to be kept unasked
        (ended("auto", best=2), {"none", "auto", "last"}),
        (ended("auto"), {"none", "auto", "last", "best"}),
        (ended("last", best=2), {"none", "auto", "last"}),
        (ended("last"), {"none", "auto", "last", "best"}),
        (ended("best", best=2), {"none", "auto", "best"}),
        (ended("best", best=2, kept=False), {"none", "auto"}),  # its file is gone
    ],
)
def test_a_checkpoint_is_lacking_unless_the_one_that_is_there_is_of_that_epoch(asked, had, enough):
    assert lacking({"keep": asked}, had) == ([] if asked in enough else [f"keep={asked}"])


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, []),
        (PROBES, []),
        ({"layers": False, "logits": [5], "images": 2}, []),
        ({"gradients": True}, ["probes.gradients=true"]),
        ({"logits": [1, 2]}, ["probes.logits=[1,2]"]),
        ({"images": 5}, ["probes.images=5"]),
        ({"train_samples": 50}, ["probes.train_samples=50"]),  # other samples, not fewer of the same
        ({"train_samples": 0}, []),
    ],
)
def test_probes_are_lacking_that_recorded_less(asked, words):
    assert lacking({"probes": asked}, ended("none", **PROBES)) == words
    assert covers({"probes": PROBES}, {"probes": asked}) == (not words)


def test_everything_that_was_probed_is_lacking_in_a_run_without_probes():
    words = ["probes.layers=true", "probes.logits=[1,5]", "probes.train_samples=100", "probes.images=4"]
    assert lacking({"probes": PROBES, "keep": "last"}, ended(None, kept=False)) == ["keep=last", *words]


@pytest.mark.parametrize(
    ("before", "asked", "covered"),
    [("none", "none", True), ("none", "auto", True), ("last", "last", True), ("best", "none", True),
     ("last", "best", False), ("auto", "last", False), ("none", "best", False)],
)  # fmt: skip
def test_a_request_covers_another_that_keeps_the_same_or_nothing(before, asked, covered):
    assert covers({"keep": before}, {"keep": asked}) == covered


@pytest.mark.parametrize(
    ("now", "earlier", "kept"),
    [("none", "auto", "auto"), ("auto", "none", "auto"), ("none", "best", "best"), ("auto", "last", "last"),
     ("last", "best", "last"), ("best", "last", "best"), ("none", "none", "none")],
)  # fmt: skip
def test_two_requests_together_keep_what_the_later_or_else_the_earlier_asks_for(now, earlier, kept):
    assert with_recordings({"keep": now, "seed": 1}, {"keep": earlier}) == {"keep": kept, "seed": 1}


def test_two_requests_together_probe_what_either_asks_for():
    config = {
        "probes": {"layers": False, "gradients": True, "logits": [2, 5], "train_samples": 0, "images": 9}
    }
    both = {"layers": True, "gradients": True, "logits": [1, 2, 5], "train_samples": 100, "images": 9}
    assert with_recordings(config, {"probes": PROBES}) == {"probes": both}
    assert with_recordings({"seed": 1}, {"probes": PROBES}) == {"seed": 1}
    other = {"probes": {"train_samples": 50}}
    assert with_recordings(other, {"probes": PROBES}) == other


def test_recordings_are_the_weights_and_the_probes():
    assert recordings({"keep": "best", "probes": {"layers": True}, "seed": 1}) == {
        "keep": "best",
        "probes": {"layers": True},
    }
    assert recordings({}) == {"keep": "none", "probes": {}}
    assert [is_recording(key) for key in ("keep", "probes.layers", "keeper", "model.probes.x")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("key", "off", "on"),
    [
        *((key, False, True) for key in ("layers", "gradients", "steps", "classes")),
        ("logits", [], [1]),
        ("train_samples", 0, 5),
        ("images", 0, 3),
    ],
)
def test_a_run_of_before_a_probe_existed_has_not_recorded_it(key, off, on):
    assert lacking({"probes": {key: off}}, ended(None, kept=False)) == []
    assert len(lacking({"probes": {key: on}}, ended(None, kept=False))) == 1
    assert covers({}, {"probes": {key: off}})
    assert not covers({}, {"probes": {key: on}})
    assert with_recordings({"probes": {key: off}}, {}) == {"probes": {key: off}}


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({}, ", because of keep=none; train again"),
        ({"keep": "none"}, ", because of keep=none; train again"),
        ({"keep": "auto"}, ", because keep=auto keeps none that may be larger than 32 MB; train again"),
        ({"keep": "last"}, "; train again"),
    ],
)
def test_why_a_run_has_no_checkpoint(config, why):
    assert why_no_checkpoint(config).startswith(why)
