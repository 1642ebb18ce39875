import os

import pytest

from dlx import device


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A machine described by files, as Linux does."""
    monkeypatch.setattr(device, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(device, "CGROUP", tmp_path)
    return tmp_path


def limit(system, maximum, used, inactive):
    (system / "memory.max").write_text(f"{maximum}\n")
    (system / "memory.current").write_text(f"{used}\n")
    (system / "memory.stat").write_text(f"anon 5\nfile 6\ninactive_file {inactive}\n")


def test_available_memory_is_what_the_kernel_reports(system):
    (system / "meminfo").write_text("MemTotal:  9000 kB\nMemFree:  10 kB\nMemAvailable:  2000 kB\n")
    assert device.available_bytes() == 2000 * 1024


def test_a_containers_limit_counts_if_it_is_lower(system):
    (system / "meminfo").write_text("MemAvailable:  2000 kB\n")
    limit(system, 1_000_000, 700_000, 100_000)
    assert device.available_bytes() == 400_000
    limit(system, 100_000_000, 700_000, 100_000)
    assert device.available_bytes() == 2000 * 1024
    limit(system, "max", 700_000, 100_000)
    assert device.available_bytes() == 2000 * 1024


def test_a_container_over_its_limit_has_nothing_left(system):
    limit(system, 1000, 5000, 0)
    assert device.available_bytes() == 0


def test_without_linux_files_it_is_half_of_the_memory_or_unknown(system, monkeypatch):
    values = {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", values.__getitem__)
    assert device.available_bytes() == 1000 * 4096 // 2
    monkeypatch.delattr(os, "sysconf")
    assert device.available_bytes() is None
