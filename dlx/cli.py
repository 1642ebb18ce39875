"""The `dlx` command: picks the verb. Imports nothing heavy, so that --help answers at once."""

import argparse
import sys
from collections.abc import Sequence

from dlx.errors import RequestError, StorageError, is_storage_error, nearest

VERBS = {
    "train": "train one run, or a grid of them (several values of a key, or sweep=NAME)",
    "check": "compare a model's gradients with finite differences, in float64",
    "data": "list the data sets, or fetch one: dlx data prepare fashion_mnist",
    "evaluate": "score chosen runs on held-out data, and keep count of the looks",
    "report": "compare the runs of a study: a table, plots and one HTML page",
    "reproduce": "rerun published experiments and say which of their figures come out again",
}

EPILOG = """examples:
  dlx train model=mlp_bn optimizer=adam
  dlx train model=mlp,mlp_bn optimizer.lr=0.001,0.01 seed=0,1,2 name=mystudy
  dlx train sweep=learning_rate data=fashion_mnist
  dlx report outputs/mystudy
  dlx reproduce A2

`dlx VERB --help` tells more of each.

exit codes: 0 done; 1 a run failed or diverged, a gradient is wrong, or a published figure
is not reproduced; 2 the request, configuration or data was wrong; 4 storage failed; 130
interrupted."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    parser = _parser()
    if not arguments:
        parser.print_help()
        return 2
    if arguments[0].startswith("-"):
        parser.parse_args(arguments)
        parser.error(f"a verb comes first (allowed: {', '.join(VERBS)})")
    verb, rest = arguments[0], arguments[1:]
    if verb not in VERBS:
        parser.error(f"there is no verb '{verb}'{nearest(verb, VERBS)} (allowed: {', '.join(VERBS)})")
    try:
        return _run(verb, rest)
    except RequestError as error:
        print(f"dlx {verb}: error: {error}", file=sys.stderr)
        return 2
    except (OSError, StorageError) as error:
        if not is_storage_error(error):
            raise
        print(f"dlx {verb}: error: storage failed: {error}", file=sys.stderr)
        return 4


def _run(verb: str, arguments: Sequence[str]) -> int:
    if verb == "train":
        from dlx.commands import train

        return train.main(arguments)
    if verb == "check":
        from dlx import check

        return check.main(arguments)
    if verb == "data":
        from dlx import prepare

        return prepare.main(arguments)
    if verb == "evaluate":
        from dlx import evaluate

        return evaluate.main(arguments)
    if verb == "reproduce":
        from dlx.reproduce import command as reproduction

        return reproduction.main(arguments)
    from dlx.report import command

    return command.main(list(arguments))


def _parser() -> argparse.ArgumentParser:
    verbs = "\n".join(f"  {verb:<9} {what}" for verb, what in VERBS.items())
    parser = argparse.ArgumentParser(
        prog="dlx",
        usage="dlx VERB [ARGUMENT ...]",
        description="Train grids of neural networks and compare them with statistics.\n\nverbs:\n" + verbs,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and leave")
    return parser


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from dlx import __version__

        print(f"dlx {__version__}")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
