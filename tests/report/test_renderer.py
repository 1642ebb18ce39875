"""The renderer's process answers as vl_convert does, ends with its parent, and is named if it dies."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import vl_convert

from dlx.report import renderer

SPEC = json.dumps({"$schema": renderer.SCHEMA, "data": {"values": [{"x": 1}]}, "mark": "bar"})


@pytest.fixture
def own() -> Iterator[renderer.Renderer]:
    yield (made := renderer.Renderer())
    made.end()


def test_it_answers_as_vl_convert_does(own: renderer.Renderer) -> None:
    svg = own.call("vegalite_to_svg", SPEC)
    assert svg == vl_convert.vegalite_to_svg(SPEC)
    assert own.call("svg_to_png", svg, scale=2) == vl_convert.svg_to_png(svg, scale=2)


def test_its_errors_are_raised_here_and_it_goes_on(own: renderer.Renderer) -> None:
    with pytest.raises(ValueError, match="Failed to parse"):
        own.call("vegalite_to_svg", "{")
    assert own.call("vegalite_to_svg", SPEC).endswith("</svg>")


def test_a_process_that_has_died_is_named(own: renderer.Renderer) -> None:
    process: Any = own._process
    process.terminate()
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"the process that draws the charts ended \(exit code -15\)"):
            own.call("vegalite_to_svg", SPEC)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTRAP, signal.SIGABRT])
def test_a_process_that_gets_no_memory_is_told_from_one_that_fails(
    own: renderer.Renderer, how: signal.Signals
) -> None:
    process: Any = own._process
    process.send_signal(how)
    with pytest.raises(MemoryError, match=rf"exit code -{how.value}"):
        own.call("vegalite_to_svg", SPEC)


def test_it_ends_when_its_parent_is_killed() -> None:
    code = "from dlx.report import renderer; print(renderer.start()._process.pid, flush=True); input()"
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    deadline = time.monotonic() + 30
    with suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.01)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
