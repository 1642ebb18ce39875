"""Shows progress in a notebook: one output of the cell, which is replaced while a command works.

A terminal erases its bars by moving the cursor, which a notebook does not have. There, each line would be an
output of its own, and each state of a bar would stay in the saved file.
"""

import io
from collections.abc import Sequence
from typing import Any, Protocol

from rich.console import Console, Group, RenderableType
from rich.text import Text

WIDTH = 100  # letters; about what fits beside JupyterLab's file browser on a laptop
PASSING = 20  # lines of ended runs that are shown at a time: each drawing sends all of them to the browser

STYLE = "white-space:pre;line-height:normal;overflow-x:auto;font-family:Menlo,'DejaVu Sans Mono',monospace"
PAGE = f'<pre style="{STYLE}">{{code}}</pre>'


class Shown(Protocol):
    """An output of a cell that can be replaced, as IPython's display gives it."""

    def update(self, data: dict[str, str], *, raw: bool) -> Any:
        """Replace the output."""


class Cell(Console):
    """A console that prints into one output of the notebook's cell.

    `passing` holds lines that disappear when the work ends, because its summary repeats them.
    """

    def __init__(self) -> None:
        super().__init__(file=io.StringIO(), width=WIDTH, highlight=False, force_jupyter=False)
        self.kept: list[RenderableType] = []
        self.passing: list[RenderableType] = []
        self._output: Shown | None = None

    def print(self, *renderables: Any, **_: Any) -> None:
        """Add to what stays in the output."""
        self.kept += renderables
        self.show()

    def show(self, bars: Sequence[RenderableType] = ()) -> None:
        """Draw what stays, the last of the lines that pass, and below them the progress."""
        earlier = len(self.passing) - PASSING
        above = [Text(f"{earlier} earlier lines are not shown", style="dim")] if earlier > 0 else []
        data = _drawn(Group(*self.kept, *above, *self.passing[-PASSING:], *bars))
        if self._output is not None:
            self._output.update(data, raw=True)
            return
        from IPython.display import display  # installed, because this runs in a notebook

        self._output = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]


def console_here() -> Console:
    """Return the console of a terminal or log, or in a notebook one that prints into one output."""
    console = Console(highlight=False)
    return Cell() if console.is_jupyter else console


def _drawn(renderable: RenderableType) -> dict[str, str]:
    """Return a renderable as text and as HTML, as a cell's output has them."""
    console = Console(file=io.StringIO(), record=True, width=WIDTH, highlight=False, force_jupyter=False)
    console.print(renderable)
    page = console.export_html(code_format=PAGE, inline_styles=True, clear=False)
    return {"text/plain": console.export_text().rstrip("\n"), "text/html": page}
