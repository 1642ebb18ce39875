"""Says on a terminal what a command is doing before it has something to print."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@contextmanager
def working(
    first: str, *, show: bool = True, console: "Console | None" = None
) -> Iterator[Callable[[str], None]]:
    """Show one line with a spinner on standard error while the body runs; give what changes its words.

    Nothing is shown without `show`, nor where standard error is not a terminal or cannot move its cursor.
    `console`: where the command will print; if that is a notebook's cell, the line is shown there.
    """
    from rich.console import Console  # 60 ms, and --help needs none of it
    from rich.text import Text

    from dlx.notebook import Cell

    if show and isinstance(console, Cell):
        cell = console
        cell.show([Text(first)])
        try:
            yield lambda text: cell.show([Text(text)])
        finally:
            cell.show()
        return
    console = Console(stderr=True, highlight=False)
    if not show or not console.is_terminal or console.is_dumb_terminal:
        yield lambda _: None
        return

    def shortened(text: str) -> Text:
        line = Text(text)
        line.truncate(max(1, console.width - len("^C") - 3), overflow="ellipsis")  # beside the spinner
        return line

    with console.status(shortened(first), refresh_per_second=4) as status:
        yield lambda text: status.update(shortened(text))
