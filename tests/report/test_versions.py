"""Runs of unlike code or data are never one setting: one version is compared, or a key tells them apart."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from dlx.report.design import find_design
from dlx.report.load import load_study
from dlx.run.identity import Fingerprints
from dlx.study.requests import StudyRun
from dlx.study.study import Study

OWN_NET = {"model.name": "custom", "model.target": "mynet:Net"}
OWN_DATA = {"data.name": "npz", "data.path": "a.npz"}


def code(version: int) -> Fingerprints:
    return Fingerprints({"mynet.py": f"sha256:{version}", "same.py": "sha256:0"})


def data(version: int, kind: str = "sha256:", name: str = "a.npz") -> Fingerprints:
    return Fingerprints(data={name: f"{kind}{version}"})


def ask(study: Any, *names: str, time: str) -> None:
    """Write a request for runs, as a study does, at a time."""
    known = Study(study.folder)
    with known.locked():
        known.add_request([], "0.1", [StudyRun(name, "", [], {}, code(1)) for name in names])
    path = max((study.folder / ".study" / "requests").glob("*.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"time": time}))


def settings_of(study: Any) -> tuple[list[str], dict[str, str]]:
    """Return the label of each setting with its number of runs, and the runs that are left out."""
    loaded = load_study([study.folder])
    design = find_design(loaded.settings)
    runs = list(design.of_run.values())
    return [f"{label}: {runs.count(i)}" for i, label in enumerate(design.labels)], loaded.left_out


def test_only_the_version_that_was_last_asked_for_is_compared(study: Any) -> None:
    for version in (1, 2):
        for seed in (0, 1):
            study.run(f"v{version}s{seed}", study.curve(0.5), OWN_NET, seed=seed, fingerprints=code(version))
    ask(study, "v1s0", "v1s1", time="2026-11-01")
    ask(study, "v2s0", "v2s1", time="2026-11-02")
    reason = "trained with an earlier mynet.py; 2 runs of the current version are compared"
    assert settings_of(study) == (["all runs: 2"], {"v1s0": reason, "v1s1": reason})
    ask(study, "v1s0", "v1s1", time="2026-11-03")  # the user went back to it
    assert settings_of(study)[1].keys() == {"v2s0", "v2s1"}


def test_seeds_of_different_versions_are_never_one_setting(study: Any) -> None:
    for seed in (0, 1, 2):
        study.run(f"s{seed}", study.curve(0.5), OWN_NET, seed=seed, fingerprints=code(seed))
        ask(study, f"s{seed}", time=f"2026-11-0{seed + 1}")
    reason = "trained with an earlier mynet.py; 1 run of the current version is compared"
    assert settings_of(study) == (["all runs: 1"], {"s0": reason, "s1": reason})


def test_versions_that_differ_between_settings_are_in_their_labels(study: Any) -> None:
    for run, width, version in (("a", 8, 1), ("b", 16, 1), ("c", 32, 2)):
        own = {**OWN_NET, "model.width": width}
        for seed in (0, 1):
            study.run(f"{run}{seed}", study.curve(0.5), own, seed=seed, fingerprints=code(version))
    study.run("packaged", study.curve(0.5))
    ask(study, "a0", "a1", "b0", "b1", "packaged", time="2026-11-01")
    ask(study, "c0", "c1", time="2026-11-02")
    labels, left_out = settings_of(study)
    assert left_out == {}
    assert sorted(labels) == [
        "custom, width 16, code version 1: 2",
        "custom, width 32, code version 2: 2",
        "custom, width 8, code version 1: 2",
        "mlp, width 64: 1",
    ]


def test_one_version_is_not_worth_a_key(study: Any) -> None:
    for width in (8, 16):
        own = {**OWN_NET, "model.width": width}
        study.run(f"w{width}", study.curve(0.5), own, fingerprints=code(1))
    assert settings_of(study) == (["width 16: 1", "width 8: 1"], {})


def test_another_version_of_the_data_counts_like_one_of_the_code(study: Any) -> None:
    for version in (1, 2):
        folder = study.run(f"v{version}", study.curve(0.5), OWN_DATA, fingerprints=data(version))
        os.utime(folder / "result.json", (version * 1e9, version * 1e9))  # no request: when it ended
    study.run("wide", study.curve(0.5), {**OWN_DATA, "model.width": 128}, fingerprints=data(1))
    labels, left_out = settings_of(study)
    assert left_out == {"v1": "trained with an earlier a.npz; 1 run of the current version is compared"}
    assert sorted(labels) == ["width 128, files version 1: 1", "width 64, files version 2: 1"]


@pytest.mark.parametrize(
    ("kind", "labels"), [("sha256:", ["all runs: 2"]), ("5 bytes:", ["path a.npz: 1", "path b.npz: 1"])]
)
def test_data_that_was_moved_is_the_same_if_its_content_is_known(study: Any, kind: str, labels: Any) -> None:
    for seed, name in enumerate(("a.npz", "b.npz")):
        own = {**OWN_DATA, "data.path": name}
        study.run(name, study.curve(0.5), own, seed=seed, fingerprints=data(1, kind, name))
    assert settings_of(study) == (labels, {})


def test_runs_of_an_older_dlx_stay_what_they_were_until_they_are_trained_again(study: Any) -> None:
    for seed in (0, 1):
        study.run(f"old{seed}", study.curve(0.5), OWN_NET, seed=seed)
    assert settings_of(study) == (["all runs: 2"], {})
    ask(study, "old0", "old1", time="2026-11-01")
    study.run("new0", study.curve(0.5), OWN_NET, seed=0, fingerprints=code(1))
    ask(study, "new0", time="2026-11-02")
    reason = "trained before dlx recorded mynet.py and same.py; 1 run of the current version is compared"
    assert settings_of(study) == (["all runs: 1"], {"old0": reason, "old1": reason})


def test_a_copy_of_a_run_in_another_study_is_the_same_version(study: Any) -> None:
    for folder in ("one", "two"):
        study.run(f"{folder}/run", study.curve(0.5), OWN_NET, fingerprints=code(1))
    assert settings_of(study) == (["all runs: 1"], {"two/run": "the same settings and seeds as one/run"})
    assert Path(study.folder, "two/run").is_dir()
