"""The flags and the help of `dlx train`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from textwrap import fill

from dlx.commands.parser import Parser, dotted_key, existing_folder, one_of
from dlx.errors import RequestError

CONFIGURATIONS = ("job", "hydra", "all")
TOPICS = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")

EXAMPLES = """
dlx train model=mlp_bn optimizer=adam
dlx train model=mlp,mlp_bn optimizer.lr=0.001,0.01 seed=0,1,2 name=mystudy
dlx train sweep=learning_rate
dlx train sweep=learning_rate seed=0,1,2 --dry-run
dlx train model=cnn --cfg job
"""

NOTES = """
Several values of a key make a grid: every combination is trained. +KEY=VALUE
adds a key, ~KEY removes one. Files in your own ./conf override and extend the
choices: ./conf/model/mine.yaml is model=mine.
"""

EXIT_CODES = (
    "0 every run completed; 1 a run failed or diverged; 2 the request, configuration or data was "
    "wrong; 4 storage failed; 130 interrupted."
)


@dataclass(frozen=True)
class TrainOptions:
    """The flags of `dlx train`; None and False where a flag was not given."""

    multirun: bool
    cfg: str | None
    package: str | None
    resolve: bool
    info: str | None
    dry_run: bool
    config_dir: Path | None
    config_name: str | None
    help: bool
    version: bool


def parse_train(arguments: Sequence[str]) -> tuple[TrainOptions, list[str]]:
    """Return the flags, and the other words (overrides) in their order, unread.

    Raises RequestError for a flag that does not exist, lacks its value or does not go with another.
    """
    given = vars(_parser().parse(arguments))
    options = TrainOptions(**{field.name: given[field.name] for field in fields(TrainOptions)})
    if options.cfg and options.info:
        raise RequestError("--cfg and --info cannot be combined; give one of them")
    if options.dry_run and (options.cfg or options.info):
        raise RequestError("--dry-run does not go with --cfg or --info; give one of them")
    for name in ("package", "resolve"):
        if given[name] and options.cfg is None:
            raise RequestError(f"--{name} says how --cfg prints; add --cfg job")
    return options, given["overrides"]


def help_text(groups: Mapping[str, Sequence[str]]) -> str:
    """Return what `dlx train --help` prints; `groups` holds the choices of each configuration group."""
    wrapped = [
        fill(", ".join(choices), 79, initial_indent=f"  {group:<12} ", subsequent_indent=" " * 15)
        for group, choices in groups.items()
    ]
    return _parser("\n".join(["choices of each group (GROUP=CHOICE):", *wrapped])).format_help()


def _parser(choices: str = "") -> Parser:
    parser = Parser(
        "dlx train",
        "Train one run, or a grid of them: several values of a key, or a preset (sweep=NAME).",
        examples=EXAMPLES,
        notes=f"{NOTES}\n{choices}",
        exit_codes=EXIT_CODES,
        usage="dlx train [KEY=VALUE ...] [options]",
        add_help=False,
    )
    parser.add_argument(
        "overrides",
        metavar="KEY=VALUE",
        nargs="*",
        help="set a key; or GROUP=CHOICE",
    )
    parser.add_argument("--help", "-h", action="store_true", help="show this help and exit")
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    parser.add_argument(
        "--multirun",
        "-m",
        action="store_true",
        help="accepted but not needed: a list of values always makes a grid",
    )
    group = parser.add_argument_group("look without training")
    group.add_argument(
        "--dry-run",
        "-n",
        action="store_true",
        help="print the runs, what they would take and where they would go, and train nothing",
    )
    group.add_argument(
        "--cfg",
        "-c",
        metavar="PART",
        type=one_of(*CONFIGURATIONS),
        help="print the composed configuration: of the run (job), of Hydra (hydra), or all",
    )
    group.add_argument(
        "--package", "-p", metavar="KEY", type=dotted_key, help="with --cfg: print only the part below KEY"
    )
    group.add_argument("--resolve", action="store_true", help="with --cfg: replace each ${...} by its value")
    parser.add_flag_with_optional_value(
        *("--info", "-i"),
        const="all",
        pattern=r"\w[\w-]*",  # a setting has more than letters
        metavar="TOPIC",
        type=one_of(*TOPICS),
        help=f"print how the configuration is composed: {', '.join(TOPICS)} (default: all)",
    )
    group = parser.add_argument_group("where the configuration is read from")
    group.add_argument(
        "--config-dir",
        "-cd",
        metavar="DIR",
        type=existing_folder,
        help="one more folder of configuration files",
    )
    group.add_argument("--config-name", "-cn", metavar="NAME", help="the primary file (default: train)")
    return parser
