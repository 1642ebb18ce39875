"""The `dlx` command: picks the verb and reports errors. Imports nothing heavy, so --help answers at once."""

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from dlx.commands.verbs import DELETES, MEANT, VERBS
from dlx.signals import SAID, signals

FOLDERS_ONLY = (
    "list",
    "report",
    "diff",
    "evaluate",
    "grade",
)  # verbs whose words may hold bytes that are not text, as names of files may

EXAMPLES = """
dlx
dlx train model=mlp_bn optimizer=adam
dlx train model=mlp,mlp_bn optimizer.lr=0.001,0.01 seed=0,1,2 name=mystudy
dlx report outputs/mystudy
dlx reproduce digits_layers
dlx help train
"""

EXIT_CODES = (
    "0 done; 1 a run failed or diverged, a gradient is wrong, a published figure is not reproduced, "
    "or dlx itself failed; 2 the request, configuration or data was wrong; 4 storage failed or memory "
    "ran out; 130 interrupted (Ctrl-C); 143 terminated."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; --help raises SystemExit.

    Without `arguments` it is that of this process, which then also handles signals and closed pipes.
    """
    if arguments is not None:
        return _run(list(arguments))
    signals.take_over()
    # A collection after every 700 new objects, Python's default, takes a tenth of a command's imports.
    gc.set_threshold(20_000, 10, 10)
    from dlx import streams

    streams.take_over()
    try:
        code: object = _run(sys.argv[1:])
    except SystemExit as ended:
        code = ended.code or 0
    try:
        sys.stdout.flush()
    except OSError as error:
        code = _fail("", _storage(error), 4)
    signals.settle(code := code if isinstance(code, int) else 1)
    return code


def _run(words: list[str]) -> int:
    """Run the verb; turn an error into a line and an exit code."""
    if words[:1] == ["help"]:  # `dlx help train` is `dlx train --help`
        words = [*words[1:], "--help"]
    elif words[:1] == ["version"]:
        words[0] = "--version"
    verb = words[0] if words and words[0] in VERBS else ""
    if "-sc" in words[:2]:  # what Hydra's own completion asks at each Tab
        verb = "completion"
    try:
        signals.begin(f"dlx {verb}".strip())
        if not verb:
            return _without_verb(words)
        _check_surroundings(verb, words)
        if "-sc" in words[:2]:
            return int(import_module("dlx.commands.completion").answer_hydra(words))
        return int(import_module(f"dlx.commands.{verb}").main(words[1:]))
    except BaseException as error:
        signals.settle()
        code, message = _explained(error, verb, words)
        if not message:
            raise
        return _fail(verb, message, code)


def _explained(error: BaseException, verb: str, words: Sequence[str]) -> tuple[int, str]:
    """Return the exit code and the line for what ended a verb; no line if it may leave with its exit code."""
    from dlx.errors import RequestError, is_out_of_memory, is_storage_error, shorten_quotes
    from dlx.study.stopping import Interrupted

    if isinstance(error, Interrupted):
        return error.exit_code, str(error)
    code = signals.received() or (130 if isinstance(error, KeyboardInterrupt) else 0)
    if isinstance(error, SystemExit) and error.code in SAID:
        code = int(error.code or 0)
    if code:  # whatever its exception has become on the way
        trains = verb in ("train", "reproduce")
        kept = "; finished runs are kept, and the same command continues" if trains else ""
        return code, f"{SAID[code]}{kept}"
    if isinstance(error, SystemExit):
        return 0, ""
    if isinstance(error, RequestError):
        return 2, f"error: {error}"
    if is_out_of_memory(error):
        return 4, "error: no memory is left. Ask for less at a time, then give the command again."
    if isinstance(error, OSError) and (is_storage_error(error) or isinstance(error, FileNotFoundError)):
        return 4, _storage(error)
    from dlx.crash import keep_traceback

    kept_in = keep_traceback(error, words)
    first = shorten_quotes(str(error).partition("\n")[0])
    where = f"the traceback is in {kept_in}" if kept_in else "HYDRA_FULL_ERROR=1 prints the traceback"
    return 1, f"error: dlx failed unexpectedly: {type(error).__name__}: {first} ({where})"


def _storage(error: OSError) -> str:
    from dlx.errors import describe_storage_error

    return f"error: storage failed: {describe_storage_error(error)}"


def _check_surroundings(verb: str, words: Sequence[str]) -> None:
    """Raise RequestError if the current folder is gone, or a setting is not text in this locale."""
    from dlx.errors import RequestError

    try:
        os.getcwd()  # noqa: PTH109 - pathlib takes 5 ms to import, and this is every command's start
    except OSError as error:
        raise RequestError(
            f"the current folder cannot be used ({error.strerror}); change to another"
        ) from error
    unreadable = [word for word in words if not word.isprintable() and "\udc80" <= max(word) <= "\udcff"]
    if unreadable and verb not in FOLDERS_ONLY:
        encoding = sys.getfilesystemencoding()
        hint = "" if encoding == "utf-8" else "; set PYTHONUTF8=1 or LC_ALL=C.UTF-8"
        raise RequestError(f"'{unreadable[0]}' is not text in the encoding {encoding}{hint}")


def _without_verb(words: list[str]) -> int:
    from dlx.commands.parser import Parser
    from dlx.errors import RequestError, nearest

    verbs = "\n".join(f"  {verb:<10}  {what}" for verb, what in VERBS.items())
    parser = Parser(
        "dlx",
        "Train grids of neural networks and compare them with statistics.",
        examples=EXAMPLES,
        notes=f"verbs:\n{verbs}",
        exit_codes=EXIT_CODES,
        usage="dlx VERB [argument ...]",
    )
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    if words and not words[0].startswith("-"):
        meant = MEANT.get(words[0])
        near = f"; did you mean '{meant}'?" if meant else nearest(words[0], VERBS)
        if words[0] in DELETES:
            near = "; to delete a study or a run, delete its folder below outputs/"
        raise RequestError(f"there is no verb '{words[0]}'{near} (allowed: {', '.join(VERBS)})")
    if parser.parse(words).version:
        from dlx import __version__

        print(f"dlx {__version__}")
        return 0
    from dlx.commands.next_step import next_step
    from dlx.report.text import visible

    print("\n".join(map(visible, next_step().splitlines())))
    return 0


def _fail(verb: str, message: str, code: int) -> int:
    """Print the message in one line, or an error's traceback if HYDRA_FULL_ERROR=1; return the exit code."""
    if os.environ.get("HYDRA_FULL_ERROR") == "1" and code not in SAID:
        import traceback

        traceback.print_exc()
        return code
    from dlx.report.text import visible
    from dlx.streams import wrapped

    line = f"{f'dlx {verb}'.strip()}: {visible(' '.join(message.split()))}"
    print(wrapped(line, sys.stderr), file=sys.stderr)
    return code
