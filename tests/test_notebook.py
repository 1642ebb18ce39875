"""What a notebook's cell shows while runs train, and what it keeps."""

import re
from pathlib import Path

import pytest

from dlx.notebook import PASSING, Cell
from dlx.run.history import EpochRow
from dlx.study.progress import Progress
from dlx.study.summary import Outcome, print_outcomes
from dlx.working import working
from tests.study.test_progress import RESULT

ROWS = [EpochRow(epoch, 10 * epoch, 0.5, 0.1, 0.25, 0.75, 1.5, 0.5) for epoch in (1, 2)]


class Output:
    """What IPython's display gives: it keeps each state of the output."""

    def __init__(self):
        self.opened, self.states = 0, []

    def display(self, data, *, raw, display_id):
        assert raw
        assert display_id
        self.opened += 1
        self.states.append(data)
        return self

    def update(self, data, *, raw):
        assert raw
        self.states.append(data)

    @property
    def texts(self):
        return [state["text/plain"] for state in self.states]


@pytest.fixture
def output(monkeypatch):
    output = Output()
    monkeypatch.setattr(pytest.importorskip("IPython.display"), "display", output.display)
    return output


def train(names, cell, end):
    """Show the epochs of each run on a clock that draws every time, and then how it ends."""
    seconds = iter(range(10_000))
    folders = [Path(f"outputs/study/{name}") for name in names]
    runs = [(folder, f"lr={folder.name}", 3) for folder in folders]
    with Progress(runs, cell, clock=lambda: float(next(seconds))) as progress:
        progress.print("num_classes=10 from the data")
        for row in ROWS:
            for folder in folders:
                progress.of(folder).epoch(row)
        for folder in folders:
            end(progress.of(folder), folder)
    return folders


def test_one_output_shows_the_bars_and_ends_as_the_summary(output):
    cell = Cell()
    with working("checking 2 runs", console=cell) as say:
        say("planning")
    folders = train(["1", "2"], cell, lambda run, folder: run.end(folder, RESULT))
    print_outcomes([Outcome(f"lr={each.name}", each, RESULT, None) for each in folders], [Path("s")], cell)
    assert output.opened == 1
    assert output.texts[:3] == ["checking 2 runs", "planning", ""]
    assert any("lr=1" in text and "1/3" in text for text in output.texts), "a bar with its epochs"
    assert any(re.search(r"\b0:\d\d\b", text) for text in output.texts), "the time left"
    assert any("[2/2] lr=2: val acc 0.5000" in text for text in output.texts), "the line of a run that ended"
    last = output.texts[-1]
    assert last.startswith("num_classes=10 from the data\n")
    assert last.count("completed") == 2
    assert last.endswith('compare them: dlx.load("s").report()')
    assert "━" not in last
    assert "[2/2]" not in last
    assert "<pre" in output.states[-1]["text/html"]


def test_failures_stay_although_the_summary_follows(output):
    train(["1", "2"], Cell(), lambda run, _: run.fail("ValueError: no good"))
    assert output.texts[-1].splitlines()[1:] == [
        "[1/2] lr=1: failed: ValueError: no good",
        "[2/2] lr=2: failed: ValueError: no good",
    ]


def test_an_interruption_keeps_the_lines_of_the_runs_that_ended(output):
    def end(run, folder):
        if folder.name == "2":
            raise KeyboardInterrupt
        run.end(folder, RESULT)

    with pytest.raises(KeyboardInterrupt):
        train(["1", "2"], Cell(), end)
    assert "[1/2] lr=1: val acc 0.5000" in output.texts[-1]
    assert "━" not in output.texts[-1]


def test_of_many_lines_the_last_are_drawn(output):
    cell = Cell()
    cell.passing = [f"line {number}" for number in range(PASSING + 2)]
    cell.show()
    assert output.texts[-1].splitlines()[:2] == ["2 earlier lines are not shown", "line 2"]


def test_what_a_run_is_called_is_not_read_as_html(output):
    Cell().print("<b>lr</b>")
    assert "&lt;b&gt;" in output.states[-1]["text/html"]
