"""Which folders are runs, which links are named, and a history's last row that is no text."""

from errno import ELOOP
from pathlib import Path

import pytest

from dlx.run.history import COLUMNS, read_last
from dlx.run.paths import find_runs
from dlx.run.probes import FILES


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["result.json", "history.csv"], True),
        (["result.json"], False),
        (["history.csv"], False),
        ([".hydra/config.yaml"], True),
        ([".hydra/overrides.yaml"], False),
        (["history.csv", ".hydra/config.yaml"], True),
        (["hydra/config.yaml"], False),
    ],
)
def test_a_run_has_a_result_and_a_history_or_a_configuration(
    tmp_path: Path, names: list[str], found: bool
) -> None:
    run = make(tmp_path / "study" / "run", *names)
    assert find_runs(tmp_path) == ([run] if found else [])


def test_runs_within_a_studys_own_folders_are_not_looked_for(tmp_path: Path) -> None:
    for name in (".hydra", ".study"):
        make(tmp_path / name / "run", "result.json", "history.csv")
    assert find_runs(tmp_path) == []


def test_a_link_to_a_run_elsewhere_is_named(tmp_path: Path) -> None:
    study, away = tmp_path / "study", tmp_path / "away"
    run = make(study / "run", "result.json", "history.csv")
    make(away / "run", "result.json", "history.csv")
    make(away / "empty", "notes.txt")
    (study / "inside").symlink_to(run)
    (study / "outside").symlink_to(away / "run")
    (study / "no run").symlink_to(away / "empty")
    noted: list[OSError] = []
    assert find_runs(study, noted.append) == [run]
    assert [(error.errno, error.filename) for error in noted] == [(ELOOP, str(study / "outside"))]
    assert "symbolic link" in str(noted[0].strerror)
    assert find_runs(study) == [run]


HEADER = (",".join(COLUMNS) + "\n").encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEADER, "no complete row yet"),
        (HEADER + b"1,6,0.5,0.1,1,0.5,1,0.5", "no complete row yet"),
        (HEADER + b"1,6,0.5\n", "the last row is damaged"),
        (HEADER + b"1,6,0.5,0.1,1,0.5,1,\xff\n", "could not convert"),
        (HEADER.replace(b"epoch", b"ep\xffch") + b"1,6,0.5,0.1,1,0.5,1,0.5\n", "the last row is damaged"),
    ],
)
def test_a_history_whose_last_row_cannot_be_read_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "history.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{path}: .*{said}"):
        read_last(path)


def test_the_files_of_probes_have_the_names_that_are_documented() -> None:
    tables = ("layers.csv", "gradients.csv", "steps.csv", "classes.csv")
    assert (*tables, "logits.npz", "images.npz") == FILES
