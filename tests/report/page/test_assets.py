"""The libraries of the page's script: made once, then read from the cache."""

from pathlib import Path
from typing import Any

import pytest

from dlx.report.page.assets import vega


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count how often the bundle is made."""
    calls: list[str] = []

    def bundle(code: str) -> str:
        calls.append(code)
        return "the libraries\n// with a comment"

    monkeypatch.setattr("vl_convert.javascript_bundle", bundle)
    monkeypatch.setenv("DLX_CACHE", str(tmp_path))
    return calls


def test_the_libraries_are_made_once(made: list[str]) -> None:
    assert vega() == vega() == "the libraries\n// with a comment"
    assert len(made) == 1


@pytest.mark.parametrize("damage", [b"", b"cut", b"\xff\xfe"])
def test_a_damaged_copy_is_made_again(made: list[str], tmp_path: Path, damage: bytes) -> None:
    first = vega()
    (kept,) = (tmp_path / "vega").iterdir()
    kept.write_bytes(damage)
    assert vega() == first
    assert len(made) == 2


def test_a_cache_that_cannot_be_written_costs_only_time(made: Any, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DLX_CACHE", str(tmp_path / "file"))
    assert vega() == vega()
    assert len(made) == 2
