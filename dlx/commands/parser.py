"""The parser of every verb: argparse, but a mistake raises RequestError with one plain sentence."""

import argparse
import math
import re
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from textwrap import fill
from typing import Any, NoReturn

from dlx.errors import RequestError, nearest

# argparse's wording -> ours
REWORDED = (
    (r"(\S+): expected one argument", r"\1 needs a value"),
    (r"(\S+): ignored explicit argument (.*)", r"\1 takes no value, but was given \2"),
    (r"the following arguments are required: (.*)", r"\1 is missing"),
)


class _MissingError(RequestError):
    """A word that is required was not given."""


class Parser(argparse.ArgumentParser):
    """Reads the words of one verb. Flags and other words may be mixed; flags cannot be abbreviated."""

    def __init__(
        self, prog: str, summary: str, *, examples: str, notes: str = "", exit_codes: str, **more: Any
    ) -> None:
        """Set the texts of `prog --help`; notes, examples and exit codes stand below the arguments."""
        indented = "\n".join(f"  {line}" for line in examples.strip().splitlines())
        parts = [notes.strip(), f"examples:\n{indented}", fill(f"exit codes: {exit_codes}", 79)]
        super().__init__(
            prog=prog,
            description=fill(summary, 79),
            epilog="\n\n".join(part for part in parts if part),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            **more,
        )
        self._if_bare: dict[str, tuple[str, str]] = {}

    def add_flag_with_optional_value(self, *flags: str, const: str, pattern: str, **more: Any) -> None:
        """Add a flag that means `const` unless the next word fully matches `pattern` or `=VALUE` follows."""
        self._if_bare |= dict.fromkeys(flags, (const, pattern))
        self.add_argument(*flags, nargs="?", const=const, **more)

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Read the words. Raises RequestError for any mistake in them."""
        names = [name for action in self._actions for name in action.option_strings]
        try:
            given, unread = self.parse_known_intermixed_args(self._with_left_out_values(arguments))
        except _MissingError:  # perhaps only because a word that was meant for a flag was misspelt
            unread = [word for word in arguments if word[:1] == "-" and word.split("=")[0] not in names]
            if not unread:
                raise
        if not unread:
            return given
        flag = unread[0].split("=")[0]
        if not flag.startswith("-"):
            raise RequestError(f"there is one word too many: '{unread[0]}'")
        allowed = [name for name in names if name.startswith("--")]
        near = nearest(flag, allowed)
        if (
            not near
            and flag.startswith("--")
            and any(action.metavar == "KEY=VALUE" for action in self._actions)
        ):
            near = f"; keys have no dashes: {flag.lstrip('-')}=VALUE"
        raise RequestError(f"there is no flag {flag}{near} (allowed: {', '.join(allowed)})")

    @property
    def flags(self) -> dict[str, argparse.Action]:
        """The flags that may be given, in their long form."""
        return {
            name: action
            for action in self._actions
            for name in action.option_strings
            if name.startswith("--")
        }

    @property
    def positionals(self) -> dict[str, argparse.Action]:
        """The words that are not flags, by their names."""
        return {action.dest: action for action in self._actions if not action.option_strings}

    def error(self, message: str) -> NoReturn:
        """Raise RequestError instead of printing the usage."""
        message = re.sub(r"^argument (?:-\w+/)*(-[\w-]+)(?:/-[\w-]+)*", r"\1", message)  # the long name
        message = message.removeprefix("argument ")
        for theirs, ours in REWORDED:
            message = re.sub(f"^{theirs}$", ours, message)
        if message.endswith(" is missing"):
            raise _MissingError(f"{message}; `{self.prog} --help` has examples")
        raise RequestError(message)

    def _with_left_out_values(self, arguments: Sequence[str]) -> list[str]:
        """Replace `--flag` by `--flag=CONST` where the next word is not its value.

        argparse would take any next word that is not a flag, even a folder or a setting.
        """
        words = []
        for word, following in zip_longest(arguments, arguments[1:], fillvalue=""):
            const, pattern = self._if_bare.get(word, ("", ""))
            bare = word in self._if_bare and not re.fullmatch(pattern, following)
            words.append(f"{word}={const}" if bare else word)
        return words


class OneOf:
    """An argument type: one of these names."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def __call__(self, word: str) -> str:
        """Return the word if it is one of the names."""
        if word not in self.names:
            raise argparse.ArgumentTypeError(
                f"'{word}' is not one of {', '.join(self.names)}{nearest(word, self.names)}"
            )
        return word


one_of = OneOf


def existing_folder(word: str) -> Path:
    """Read an argument that is a folder."""
    path = any_path(word)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder '{word}'")
    return path


def output_folder(word: str) -> Path:
    """Read an argument that is a folder to write into; it need not exist yet."""
    path = any_path(word)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"'{word}' is a file, not a folder")
    return path


def any_path(word: str) -> Path:
    """Read a path, with ~ expanded: a shell does not expand it in --output=~/x, nor in quotes."""
    if not word:
        raise argparse.ArgumentTypeError("'' is not a path")
    try:
        path = Path(word).expanduser()
        path.exists()
    except (OSError, RuntimeError, ValueError) as error:  # a long name; the home of nobody; a zero byte
        reason = getattr(error, "strerror", None) or str(error)
        raise argparse.ArgumentTypeError(f"'{word}' cannot be a path: {reason}") from error
    return path


def dotted_key(word: str) -> str:
    """Read an argument that is a key of the configuration."""
    if not re.fullmatch(r"[\w-]+(\.[\w-]+)*", word):
        raise argparse.ArgumentTypeError(f"'{word}' is not a key such as model or model.width")
    return word


def target(word: str) -> str:
    """Read an argument that names code: a module and what is in it."""
    if not re.fullmatch(r"\w+(\.\w+)*:\w+", word):
        raise argparse.ArgumentTypeError(f"'{word}' is not MODULE:NAME, such as torchvision.models:resnet18")
    return word


def whole_number(at_least: int, at_most: int = 10**9) -> Callable[[str], int]:
    """Return an argument type: a whole number from `at_least` to `at_most`."""

    def check(word: str) -> int:
        if not re.fullmatch(r"\d+", word, re.ASCII) or int(word[:20]) < at_least:
            raise argparse.ArgumentTypeError(f"'{word}' is not a whole number of {at_least} or more")
        if int(word[:20]) > at_most:
            raise argparse.ArgumentTypeError(f"'{word}' is more than {at_most}")
        return int(word)

    return check


def number(above: float, below: float = math.inf) -> Callable[[str], float]:
    """Return an argument type: a number strictly between `above` and `below`."""

    def check(word: str) -> float:
        try:
            value = float(word)
        except ValueError:
            value = math.nan
        if not above < value < below:
            bounds = f"above {above:g}" if math.isinf(below) else f"between {above:g} and {below:g}"
            raise argparse.ArgumentTypeError(f"'{word}' is not a number {bounds}")
        return value

    return check
