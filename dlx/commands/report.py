"""`dlx report`: compares the runs of a study, once or while they train."""

import shlex
from collections.abc import Sequence
from functools import partial

from dlx.commands.parser import Parser, any_path, number, one_of, output_folder
from dlx.errors import RequestError
from dlx.working import working

SUMMARY = """Compare the runs of a study. Prints a table; writes index.html, which opens offline, the table as
CSV, Markdown and LaTeX, report.json, and plots/ as SVG, PNG and PDF into DIR/report/."""

EXAMPLES = """
dlx report
dlx report outputs/mystudy --metric val_loss
dlx report outputs/mystudy --baseline optimizer=sgd,lr=0.1
dlx report outputs/mystudy --by optimizer --tune lr
dlx report outputs/mystudy outputs/other --output both
dlx report --watch
"""


def main(arguments: Sequence[str]) -> int:
    """Run `dlx report` with these arguments; return 0, or 130 or 143 if watching was stopped."""
    given = _parser().parse(arguments)
    from dlx.report import renderer
    from dlx.report.folders import find_folders

    folders = find_folders(given.folders)
    renderer.start()  # loads during the imports that follow
    with working("reading the runs"):
        from dlx.report.analysis import Options
        from dlx.report.write import PAGE, write_report
        from dlx.run.paths import REPORT
        from dlx.study.looks import Looks

    by, tune = (_keys(each) for each in (given.by, given.tune))
    options = Options(by, tune, given.baseline, given.metric or "", given.margin)
    output = given.output or folders[0] / REPORT
    if given.output is None and output.is_symlink():
        raise RequestError(f"{output} is a symbolic link; name the folder to write into with --output")
    if given.tensorboard:
        from dlx.report.tensorboard import check_installed

        check_installed()
    command = shlex.join(["dlx", "report", *arguments])
    looks = Looks(folders[0]) if len(folders) == 1 else None
    write = partial(
        write_report,
        folders,
        output,
        command,
        options=options,
        events=given.tensorboard,
        details=given.details,
        looks=looks,
    )
    if given.watch is None:
        write()
        return 0
    from dlx.report.watch import watch_runs

    return watch_runs(folders, write, output / PAGE, given.watch)


def _parser() -> Parser:
    parser = Parser(
        "dlx report",
        SUMMARY,
        examples=EXAMPLES,
        exit_codes="0 done; 2 the request was wrong; 4 storage failed; 130 interrupted; 143 terminated.",
    )
    parser.add_argument(
        "folders",
        metavar="DIR",
        nargs="*",
        type=any_path,
        help="a study, or any folder with runs in it; several are reported together (default: the newest "
        "study under outputs/)",
    )
    parser.add_flag_with_optional_value(
        "--watch",
        const="10",
        pattern=r"[-+]?[\d.]+(e[-+]?\d+)?",
        metavar="SECONDS",
        type=number(0, below=1e6),
        help="update the report every SECONDS (default: 10) until all runs have ended or Ctrl-C; the open "
        "page reloads itself",
    )
    parser.add_argument(
        "--details",
        action="store_true",
        help="also print all findings, how every setting compares, and how to read the table",
    )
    parser.add_argument(
        "--tensorboard",
        action="store_true",
        help="also write event files into tensorboard/ beside the page (needs dlx[tensorboard])",
    )
    parser.add_argument(
        "--output", metavar="DIR", type=output_folder, help="write here (default: report/ in the first DIR)"
    )
    _add_comparison(parser)
    return parser


def _add_comparison(parser: Parser) -> None:
    """Add what decides how the runs are compared."""
    group = parser.add_argument_group("what is compared")
    group.add_argument(
        "--by",
        metavar="KEY,...",
        default="",
        help="group the runs by these keys, or by a group such as augment (default: every key that varies, "
        "except seeds)",
    )
    group.add_argument(
        "--tune",
        metavar="KEY,...",
        default="",
        help="compare what --by names, each with its best values of these keys",
    )
    group.add_argument(
        "--baseline",
        metavar="SETTING",
        default="",
        help="also compare with this one: 'KEY=VALUE,...' or a label in the table",
    )
    group.add_argument(
        "--metric",
        type=_metric,
        help="rank by val_accuracy, val_loss, train_accuracy or train_loss (default: val_accuracy, or "
        "val_loss if there is no accuracy)",
    )
    group.add_argument(
        "--margin",
        metavar="M",
        type=number(0),
        help="differences below M do not matter, so settings can be called equivalent (default: no margin)",
    )


def _keys(words: str) -> tuple[str, ...]:
    return tuple(key.strip() for key in words.split(",") if key.strip())


def _metric(word: str) -> str:
    from dlx.report.load import METRICS  # imports pandas

    return one_of(*METRICS)(word)
