"""Reading beside the histories: best settings first, no file opened that is not drawn."""

from typing import Any

import pytest

from dlx.report.pictures import reading
from dlx.report.pictures.reading import read_first


def test_only_the_first_settings_files_are_opened(
    study: Any, loaded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "RUNS", 2)
    for place in range(4):
        for seed in range(3):
            changes = {"optimizer.lr": 0.1 * (place + 1)}
            folder = study.run(f"r{place}{seed}", study.curve(0.5 + place / 10), changes, seed=seed)
            if place < 3:
                (folder / "file").write_text("x")
    opened = []
    found = read_first(*loaded(), "file", lambda folder: opened.append(folder.name) or folder.name, 2)
    assert opened == ["r20", "r21", "r10", "r11"]
    assert list(found.by_setting) == ["lr 0.3", "lr 0.2"]
    assert found.settings == 3
    caption = found.caption(["First"])
    assert caption.startswith("First. Drawn are 2 of 3 settings that have file, the table's first")
    assert caption.endswith("Of each setting the first 2 runs.")


def test_a_setting_of_damaged_files_gives_its_place_to_the_next(study: Any, loaded: Any) -> None:
    for place in range(8):
        folder = study.run(f"r{place}", study.curve(0.9 - place / 100), {"optimizer.lr": 0.1 + place})
        (folder / "file").write_text("x")

    def read(folder: Any) -> str:
        if folder.name != "r7":
            raise ValueError(folder)
        return "good"

    found = read_first(*loaded(), "file", read, 1)
    assert list(found.by_setting.values()) == [{"r7": "good"}]
    assert found.damage == "Left out because file is damaged: r0, r1, r2, r3, r4 and 2 more"
