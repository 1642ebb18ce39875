"""The `dlx` command: picks the verb and reports errors. Imports nothing heavy, so --help answers at once."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from dlx.commands.parser import Parser
from dlx.errors import RequestError, is_storage_error, nearest
from dlx.study.stopping import Interrupted

VERBS = {
    "train": "train one run, or a grid of them",
    "status": "say where every run of a study is",
    "report": "compare the runs of a study: a table, plots and one HTML page",
    "evaluate": "score chosen runs on held-out data, and count the looks",
    "reproduce": "rerun published experiments and check their figures",
    "check": "compare a model's gradients with finite differences",
    "data": "list the data sets, or fetch one ahead of time",
}

EXAMPLES = """
dlx train model=mlp_bn optimizer=adam
dlx train model=mlp,mlp_bn optimizer.lr=0.001,0.01 seed=0,1,2 name=mystudy
dlx report outputs/mystudy
dlx reproduce digits_layers
dlx VERB --help
"""

EXIT_CODES = (
    "0 done; 1 a run failed or diverged, a gradient is wrong, or a published figure is not "
    "reproduced; 2 the request, configuration or data was wrong; 4 storage failed; 130 "
    "interrupted."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; --help raises SystemExit."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words[:1] == ["help"]:  # `dlx help train` is `dlx train --help`
        words = [*words[1:], "--help"]
    elif words[:1] == ["version"]:
        words[0] = "--version"
    verb = words[0] if words and words[0] in VERBS else ""
    try:
        return int(import_module(f"dlx.commands.{verb}").main(words[1:])) if verb else _without_verb(words)
    except RequestError as error:
        return _fail(verb, f"error: {error}", 2)
    except Interrupted as error:
        return _fail(verb, str(error), error.exit_code)
    except OSError as error:
        if not is_storage_error(error) and not isinstance(error, FileNotFoundError):
            raise
        return _fail(verb, f"error: storage failed: {error}", 4)
    except KeyboardInterrupt:
        trains = verb in ("train", "reproduce")
        kept = "; finished runs are kept, and the same command continues" if trains else ""
        return _fail(verb, f"interrupted{kept}", 130)


def _without_verb(words: list[str]) -> int:
    verbs = "\n".join(f"  {verb:<9}  {what}" for verb, what in VERBS.items())
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
        near = nearest(words[0], VERBS)
        raise RequestError(f"there is no verb '{words[0]}'{near} (allowed: {', '.join(VERBS)})")
    if parser.parse(words).version:
        from dlx import __version__

        print(f"dlx {__version__}")
        return 0
    parser.print_help()
    return 2


def _fail(verb: str, message: str, code: int) -> int:
    """Print the message in one line, or an error's traceback if HYDRA_FULL_ERROR=1; return the exit code."""
    if os.environ.get("HYDRA_FULL_ERROR") == "1" and code not in (130, 143):
        import traceback

        traceback.print_exc()
        return code
    from dlx.report.text import visible

    print(f"{f'dlx {verb}'.strip()}: {visible(' '.join(message.split()))}", file=sys.stderr)
    return code
