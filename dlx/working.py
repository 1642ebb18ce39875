"""Says on a terminal what a command is doing before it has something to print."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def working(first: str, *, show: bool = True) -> Iterator[Callable[[str], None]]:
    """Show one line with a spinner on standard error while the body runs; give what changes its words.

    Nothing is shown without `show`, nor where standard error is not a terminal or cannot move its cursor.
    """
    from rich.console import Console  # 60 ms, and --help needs none of it
    from rich.text import Text

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
