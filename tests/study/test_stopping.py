"""Stops that are asked for by a signal."""

import signal

import pytest

from dlx.study.stopping import Interrupted, interruption, orderly, stop_requested


@pytest.fixture
def before(monkeypatch):
    """Signals that the handler from before has got."""
    seen = []
    kept = signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
    yield seen
    signal.signal(signal.SIGTERM, kept)


def test_the_first_signal_asks_for_a_stop_and_the_second_does_what_it_did_before(before):
    ended = []
    with orderly(lambda: ended.append("at once")):
        assert interruption() is None
        signal.raise_signal(signal.SIGTERM)
        assert (ended, before) == ([], [])
        assert interruption().number == signal.SIGTERM
        signal.raise_signal(signal.SIGTERM)
        assert (ended, before) == (["at once"], [signal.SIGTERM])


def test_afterwards_signals_are_handled_as_before_and_nothing_is_asked_for(before):
    with orderly(lambda: None):
        signal.raise_signal(signal.SIGTERM)
    assert not stop_requested()
    signal.raise_signal(signal.SIGTERM)
    assert before == [signal.SIGTERM]


def test_an_ignored_signal_stays_ignored():
    kept = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with orderly(lambda: None):
            signal.raise_signal(signal.SIGHUP)
            assert not stop_requested()
    finally:
        signal.signal(signal.SIGHUP, kept)


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "terminated"),
        (signal.SIGHUP, 143, "terminated"),
    ],
)
def test_the_exit_code_names_the_signal(number, code, said):
    error = Interrupted(number, "a line")
    assert (error.exit_code, error.said, str(error)) == (code, said, "a line")


def test_an_interruption_is_not_taken_for_an_error():
    assert not issubclass(Interrupted, Exception)
