"""The tests of an area, collected once by pytest; forks then run some of them each."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

QUIET = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", "ignore::pytest.PytestAssertRewriteWarning")
ENDLESS_S = 5.0  # of processor time, beyond a few times what a test usually takes


class Suite:
    """A plugin of pytest that calls `work(suite)` instead of running the collected tests.

    `seconds`: of each test that passed. `failed`: the first test that did not.
    """

    def __init__(self, work: Callable[["Suite"], Any]) -> None:
        self.items: dict[str, pytest.Item] = {}
        self.seconds: dict[str, float] = {}
        self.failed = ""
        self.result: Any = None
        self._work = work
        self._coverage: Any = None

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Take the tests over from pytest."""
        self.items = {item.nodeid: item for item in session.items}
        if not session.testsfailed:  # a file that cannot be imported has
            self.result = self._work(self)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember how a test went."""
        if report.failed:
            self.failed = self.failed or report.nodeid
        elif report.when == "call" and report.passed:
            self.seconds[report.nodeid] = report.duration

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        """Attribute the lines of fixtures to all tests of their file, because a fixture may serve several."""
        if self._coverage:
            self._coverage.switch_context(item.nodeid.partition("::")[0])
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Attribute lines to the test that runs them."""
        if self._coverage:
            self._coverage.switch_context(item.nodeid)
        return (yield)

    def run_until_failure(self, tests: Sequence[str], usual_s: dict[str, float]) -> str:
        """Run tests in their order; return the first that fails, or ''. An endless loop ends the process."""
        items = [self.items[name] for name in tests]
        for item, following in zip(items, [*items[1:], None], strict=True):
            signal.setitimer(signal.ITIMER_PROF, ENDLESS_S + 4 * usual_s.get(item.nodeid, ENDLESS_S))
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.failed:
                break
        return self.failed

    def cover(self, test_file: str, include: Sequence[str]) -> dict[str, Any]:
        """Run a file's tests; return the seconds that each takes and who runs each line."""
        import coverage

        here = Path.cwd()
        self._coverage = coverage.Coverage(data_file=None, config_file=False, include=list(include))
        self._coverage.start()
        items = [item for name, item in self.items.items() if name.partition("::")[0] == test_file]
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        self._coverage.stop()
        data = self._coverage.get_data()
        lines = {
            Path(file).relative_to(here).as_posix(): data.contexts_by_lineno(file)
            for file in data.measured_files()
        }
        return {"seconds": self.seconds, "lines": lines}


def with_suite(tests: Sequence[str], temporary: Path, work: Callable[[Suite], Any]) -> Any:
    """Collect the tests below the current folder, and return what `work` makes of them."""
    suite = Suite(work)
    _silence()
    pytest.main([*QUIET, f"--basetemp={temporary / 'pytest'}", *tests], plugins=[suite])
    return suite.result


def run_anew(tests: Sequence[str], temporary: Path) -> str:
    """Collect and run tests; return the first that fails or ''. For mutants that act on import.

    All cases of a parametrized test are run, because their names may hold the constant that was changed.
    """
    names = {test.partition("[")[0] for test in tests}

    def run(suite: Suite) -> str:
        chosen = [name for name in suite.items if name.partition("[")[0] in names]
        return suite.run_until_failure(chosen, {})

    failed = with_suite(sorted({test.partition("::")[0] for test in tests}), temporary, run)
    return "an import" if failed is None else str(failed)


def _silence() -> None:
    with Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
