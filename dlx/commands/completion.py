"""`dlx completion SHELL`: prints the script for a shell, which then asks for the words that fit."""

import argparse
import os
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from textwrap import shorten

from dlx.commands.parser import OneOf, Parser
from dlx.commands.verbs import VERBS
from dlx.errors import RequestError

SHELLS = ("bash", "zsh", "fish")
SCRIPTS = Path(__file__).resolve().parent.parent / "completion" / "scripts"
CLAIMS = Path(__file__).resolve().parent.parent / "claims"
OUTPUTS = Path("outputs")
REPLY = "reply"  # the scripts ask `dlx completion reply WORD ...`; the last word is the one being typed
TOLD = 60  # letters about a word, so that a shell needs one line for both

EXAMPLES = """
dlx completion bash
dlx completion zsh
dlx completion fish
"""

NOTES = """
To complete words in every new shell, add one line to its start file:
  ~/.bashrc                   eval "$(dlx completion bash)"
  ~/.zshrc                    eval "$(dlx completion zsh)"
  ~/.config/fish/config.fish  dlx completion fish | source
"""


def main(arguments: Sequence[str]) -> int:
    """Run `dlx completion` with these arguments and return 0."""
    if arguments[:1] == [REPLY]:
        print("".join(f"{word}\t{what}\n" for word, what in candidates(arguments[1:]).items()), end="")
        return 0
    given = _parser().parse(arguments)
    if given.shell is None:
        raise RequestError(f"name your shell: dlx completion {' or '.join(SHELLS)}")
    print(script(given.shell), end="")
    return 0


def _parser() -> Parser:
    parser = Parser(
        "dlx completion",
        "Print a script that completes verbs, options, settings and their values, and studies.",
        examples=EXAMPLES,
        notes=NOTES,
        exit_codes="0 done; 2 the request was wrong.",
    )
    parser.add_argument("shell", metavar="SHELL", nargs="?", type=OneOf(*SHELLS), help=", ".join(SHELLS))
    return parser


def script(shell: str) -> str:
    """Return the script for a shell."""
    return (SCRIPTS / f"dlx.{shell}").read_text(encoding="utf-8")


def answer_hydra(words: Sequence[str]) -> int:
    """Answer the completion that Hydra's applications have: `-sc query=bash`, `-sc install=bash`.

    A shell that was set up for it asks `dlx` at each Tab, and would write an error into the prompt.
    """
    action, _, shell = words[-1].partition("=")
    if action == "query":
        line = os.environ.get("COMP_LINE", "")
        print(" ".join(candidates([*line.split()[1:], ""] if line.endswith(" ") else line.split()[1:])))
        return 0
    if action == "install" and shell in SHELLS:
        print(script(shell), end="")
        return 0
    raise RequestError(f"{' '.join(words)}: to complete words, see dlx completion --help")


def candidates(words: Sequence[str]) -> dict[str, str]:
    """Return the words that the last of `words` may become, each with what it is; none: a file or nothing.

    One that ends with "=" or "." goes on without a space.
    """
    *before, current = words or [""]
    if not before:
        return _starting(current, VERBS | {"help": "show how a verb is used", "version": "show the version"})
    verb, *given = before
    if verb == "help":
        return _starting(current, VERBS)
    if verb not in VERBS:
        return {}
    flags = _flags(verb)
    if given and (action := flags.get(given[-1])) is not None and action.nargs != 0:
        return _starting(current, dict.fromkeys(_values(action), ""))
    if current.startswith("-"):
        return _starting(current, {flag: action.help or "" for flag, action in flags.items()})
    return _positional(verb, given, current)


def _flags(verb: str) -> dict[str, argparse.Action]:
    name = "train_flags" if verb == "train" else verb
    parser = import_module(f"dlx.commands.{name}")._parser()
    assert isinstance(parser, Parser), f"dlx {verb} has a parser"
    return parser.flags


def _values(action: argparse.Action) -> Sequence[str]:
    return action.type.names if isinstance(action.type, OneOf) else ()


def _positional(verb: str, given: Sequence[str], current: str) -> dict[str, str]:
    words = [word for word in given if not word.startswith("-")]
    match verb:
        case "train" | "check":
            return _settings(words, current)
        case "report" | "status" | "evaluate":
            return _starting(current, dict.fromkeys(studies(), "a study"))
        case "reproduce" if "=" in current:
            return _settings(words, current)
        case "reproduce":
            return _starting(
                current, {"all": "", **dict.fromkeys(path.stem for path in sorted(CLAIMS.glob("*.yaml")))}
            )
        case "data":
            return _of_data(words, current)
        case "completion":
            return _starting(current, dict.fromkeys(SHELLS, ""))
    return {}


def _of_data(words: Sequence[str], current: str) -> dict[str, str]:
    from dlx.completion.settings import choices

    if not words:
        action = import_module("dlx.commands.data")._parser().positionals["action"]
        return _starting(current, dict.fromkeys(_values(action), ""))
    return _starting(current, choices("data")) if len(words) == 1 and words[0] == "prepare" else {}


def studies() -> list[str]:
    """Return the studies in outputs/, and one folder further down."""
    found = [path.parent for pattern in ("*/.study", "*/*/.study") for path in OUTPUTS.glob(pattern)]
    return [str(path) for path in sorted(found)]


def _settings(words: Sequence[str], current: str) -> dict[str, str]:
    """Return the settings, or the values of one, that begin as a word does."""
    from dlx.completion.settings import choices, groups, keys, values

    sign = current[: len(current) - len(current.lstrip("+~"))]
    typed = current[len(sign) :]
    key, equals, value = typed.partition("=")
    if not equals:
        names = {name: f"{name}=..." for name in keys(words)} | dict.fromkeys(groups(), "a group of settings")
        return {f"{sign}{name}": what for name, what in _next_parts(typed, names).items()}
    before = value[: value.rfind(",") + 1]  # of several, what has been typed of the grid
    told: Mapping[str, str] = choices(key)
    known = [Path(study).name for study in studies()] if key == "name" else values(key, words)
    words_of = {f"{sign}{key}={before}{each}": told.get(each, "") for each in known}
    return _starting(current, words_of)


def _next_parts(typed: str, names: Iterable[str]) -> dict[str, str]:
    """Return how a key may go on: up to its next dot, or to the end and an equals sign."""
    found = {}
    for name in sorted(names):
        if name.startswith(typed):
            part, dot, _ = name[len(typed) :].partition(".")
            found[f"{typed}{part}{dot or '='}"] = ""
    return found


def _starting(current: str, words: Mapping[str, str | None]) -> dict[str, str]:
    return {word: shorten(what or "", TOLD) for word, what in words.items() if word.startswith(current)}
