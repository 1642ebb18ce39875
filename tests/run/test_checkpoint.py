"""A cohort's checkpoint: the newest that is whole is read, and damage is never loaded."""

import random
from pathlib import Path

import pytest
import torch

from dlx.run.checkpoint import CohortCheckpoint


def content(epoch: int) -> dict[str, object]:
    return {"epoch": epoch, "runs": {"a": {"weights": torch.full((4,), float(epoch)), "row": [None, 0.5]}}}


def epochs(stem: Path) -> tuple[list[int], list[str]]:
    """Return the epochs of what can be read, the newest first, and what is said of the rest."""
    damaged: list[str] = []
    return [int(each["epoch"]) for each in CohortCheckpoint(stem).read(damaged)], damaged


def test_the_newest_two_are_kept_and_read_newest_first(tmp_path: Path) -> None:
    checkpoint = CohortCheckpoint(tmp_path / "checkpoints" / "key")
    for epoch in range(1, 6):
        checkpoint.write(content(epoch))
    assert epochs(tmp_path / "checkpoints" / "key") == ([5, 4], [])
    (newest, _) = checkpoint.read([])
    assert torch.equal(newest["runs"]["a"]["weights"], torch.full((4,), 5.0))


def test_another_process_replaces_the_older_of_the_two(tmp_path: Path) -> None:
    CohortCheckpoint(tmp_path / "key").write(content(1))
    CohortCheckpoint(tmp_path / "key").write(content(2))
    CohortCheckpoint(tmp_path / "key").write(content(3))
    assert epochs(tmp_path / "key") == ([3, 2], [])


def test_the_one_before_is_read_where_the_newest_is_damaged(tmp_path: Path) -> None:
    checkpoint = CohortCheckpoint(tmp_path / "key")
    checkpoint.write(content(1))
    checkpoint.write(content(2))
    newest = tmp_path / "key.1.pt"
    newest.write_bytes(newest.read_bytes()[:-1])
    read, (sentence,) = epochs(tmp_path / "key")
    assert read == [1]
    assert sentence == f"{newest}: damaged (its SHA-256 differs from the one in its first line)"


@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_no_damage_is_loaded(tmp_path: Path, damage: str) -> None:
    stem, draws = tmp_path / "key", random.Random(0)
    CohortCheckpoint(stem).write(content(1))
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for _ in range(500):
        if damage == "flip":
            flipped = bytearray(whole)
            flipped[draws.randrange(len(whole))] ^= 1 << draws.randrange(8)
            file.write_bytes(flipped)
        else:
            file.write_bytes(whole[: draws.randrange(len(whole))])
        read, damaged = epochs(stem)
        assert (read, len(damaged)) == ([], 1)


def test_a_checkpoint_of_another_version_is_refused(tmp_path: Path) -> None:
    CohortCheckpoint(tmp_path / "key").write(content(1))
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes().replace(b"dlx checkpoint 1 ", b"dlx checkpoint 2 ", 1))
    assert epochs(tmp_path / "key") == (
        [],
        [f"{file}: written by another version of dlx (format 2, not 1)"],
    )


def test_nothing_is_left_after_the_last_of_a_study_is_deleted(tmp_path: Path) -> None:
    one, other = (
        CohortCheckpoint(tmp_path / "checkpoints" / "a"),
        CohortCheckpoint(tmp_path / "checkpoints" / "b"),
    )
    one.write(content(1))
    other.write(content(1))
    one.delete()
    assert [file.name for file in (tmp_path / "checkpoints").iterdir()] == ["b.0.pt"]
    other.delete()
    other.delete()
    assert not (tmp_path / "checkpoints").exists()
