"""The next results are computed in threads; order, exceptions and the end are those of a plain loop."""

import threading
from contextlib import closing

import pytest

from dlx.data.prefetch import prefetch

PATIENCE = 10.0  # seconds after which a test fails that waits for what does not come


def threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("prefetch")]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("items", [0, 1, 2, 7])
def test_results_come_in_the_order_of_the_items(items, count):
    assert list(prefetch(lambda item: item * item, range(items), count)) == [i * i for i in range(items)]
    assert threads() == []


@pytest.mark.parametrize("count", [1, 3])
def test_so_many_results_are_computed_ahead_and_no_more(count):
    started = [threading.Event() for _ in range(9)]
    with closing(prefetch(lambda item: started[item].set(), range(9), count)) as results:
        next(results)
        assert all(event.wait(PATIENCE) for event in started[: count + 1])
        assert not any(event.is_set() for event in started[count + 1 :])
        assert 1 <= len(threads()) <= count


def test_an_exception_is_raised_when_its_result_is_due():
    def inverse(item):
        return 1 / item

    results = prefetch(inverse, [1, 2, 0, 4])
    assert [next(results), next(results)] == [1, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert threads() == []


def test_the_threads_end_when_the_loop_is_left():
    def leave():
        with closing(prefetch(abs, range(100))) as results:
            for result in results:
                if result == 3:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        leave()
    assert threads() == []
