"""Reading the files of runs: the best settings first, and only files that are drawn."""

from typing import Any

import numpy as np
import pytest

from dlx.report.plots import run_files
from dlx.report.plots.run_files import read_first


def test_only_the_first_settings_files_are_opened(
    study: Any, analysed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_files, "RUNS", 2)
    for index in range(4):
        for seed in range(3):
            changes = {"optimizer.lr": 0.1 * (index + 1)}
            folder = study.run(f"r{index}{seed}", study.curve(0.5 + index / 10), changes, seed=seed)
            if index < 3:
                (folder / "file").write_text("x")
    opened = []
    files = read_first(analysed(), "file", lambda folder: opened.append(folder.name) or folder.name, 2)
    assert opened == ["r20", "r21", "r10", "r11"]
    assert list(files.by_setting) == ["lr 0.3", "lr 0.2"]
    assert files.settings == 3
    caption = files.caption(["First"])
    assert caption.startswith("First. Only the first 2 of the 3 settings that have file")
    assert caption.endswith("Only the first 2 runs of each setting are read.")


def test_a_setting_whose_files_are_all_damaged_does_not_count(study: Any, analysed: Any) -> None:
    for index in range(8):
        folder = study.run(f"r{index}", study.curve(0.9 - index / 100), {"optimizer.lr": 0.1 + index})
        (folder / "file").write_text("x")

    def read(folder: Any) -> str:
        if folder.name != "r7":
            raise ValueError(folder)
        return "good"

    files = read_first(analysed(), "file", read, 1)
    assert list(files.by_setting.values()) == [{"r7": "good"}]
    assert files.damage == "Left out because file is damaged: r0, r1, r2, r3, r4 and 2 more"


def test_no_more_is_read_than_the_memory_allows(
    study: Any, analysed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_files, "MEMORY", 1000)
    for seed in range(4):
        (study.run(f"r{seed}", study.curve(0.5), seed=seed) / "file").write_text("x")
    files = read_first(analysed(), "file", lambda _: (np.zeros(100), "name"), 2)
    assert [len(runs) for runs in files.by_setting.values()] == [2]
    assert files.caption([]) == "Only the first runs are read, because those take 1 kB."
