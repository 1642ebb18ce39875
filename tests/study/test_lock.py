"""A lock that the kernel releases: one holder, nothing left behind, a clear answer without one."""

import errno
import fcntl
import multiprocessing
import os
import signal

import pytest

from dlx.study import held
from dlx.study.held import Held
from dlx.study.lock import Lock, is_held


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.lock"


def test_one_of_two_gets_the_lock_and_the_other_gets_it_afterwards(path):
    mine, theirs = Lock(path), Lock(path)
    assert mine.acquire()
    assert mine.supported
    assert not theirs.acquire()
    mine.release()
    assert theirs.acquire()


def test_a_released_lock_leaves_no_file(path):
    lock = Lock(path)
    assert lock.acquire()
    assert path.exists()
    lock.release()
    assert not path.exists()


def test_a_lock_whose_file_has_been_removed_meanwhile_is_not_taken_for_one(path, monkeypatch):
    first, second = Lock(path), Lock(path)
    assert first.acquire()
    flock, calls = fcntl.flock, []

    def released_in_between(descriptor, how):
        if not calls:
            calls.append(how)
            first.release()  # removes the file that `second` has open
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", released_in_between)
    assert second.acquire()
    assert path.exists()
    assert not Lock(path).acquire()


def test_looking_whether_a_lock_is_held_changes_nothing(path):
    assert is_held(path) is False
    assert not path.exists()
    lock = Lock(path)
    assert lock.acquire()
    assert is_held(path) is True
    lock.release()
    path.touch()  # what a dead holder leaves
    assert is_held(path) is False
    assert path.exists()


def test_who_looks_does_not_keep_anybody_from_the_lock(path, monkeypatch):
    path.touch()
    looking = os.open(path, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr("time.sleep", lambda _: os.close(looking))
    assert Lock(path).acquire()


def hold(path, ready):
    assert Lock(path).acquire()
    ready.set()
    signal.pause()


def test_a_killed_holder_has_let_go(path):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=hold, args=(path, ready))
    holder.start()
    assert ready.wait(60)
    assert not Lock(path).acquire()
    holder.kill()
    holder.join(60)
    assert Lock(path).acquire()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told_from_a_lock_that_is_held(path, monkeypatch, number):
    def unsupported(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", unsupported)
    lock = Lock(path)
    assert lock.acquire()
    assert not lock.supported
    assert is_held(path) is None
    lock.release()
    assert not path.exists()


def test_a_link_is_not_followed(path, tmp_path):
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"a\.lock"):
        Lock(path).acquire()
    assert not (tmp_path / "elsewhere").exists()


def test_a_note_that_does_not_fit_on_the_disk_is_named(tmp_path, monkeypatch):
    def full(content, file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(held.json, "dump", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*/key\.json'"), Held(tmp_path).note("key"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_lock_whose_file_vanishes_as_it_is_released_is_released(path, monkeypatch):
    held_lock = Lock(path)
    assert held_lock.acquire()

    def vanished(descriptor, file):
        file.unlink()
        return True

    with monkeypatch.context() as patch:
        patch.setattr("dlx.study.lock._is_at", vanished)
        held_lock.release()
    held_lock.release()  # a second time is nothing
    assert Lock(path).acquire()


def test_who_waits_for_a_lock_tries_until_it_is_free(path, monkeypatch):
    holder, waited = Lock(path), []
    assert holder.acquire()

    def sleep(seconds):
        waited.append(seconds)
        if len(waited) == 5:
            holder.release()

    monkeypatch.setattr("time.sleep", sleep)
    mine = Lock(path)
    with mine.waited_for():
        assert is_held(path) is True
    assert waited == [0.01, 0.0, 0.05, 0.01, 0.0, 0.05]
    assert is_held(path) is False
