"""`dlx report`: compares the runs of a study, once or while they train."""

import shlex
from argparse import ArgumentTypeError, Namespace
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from dlx.commands.parser import Parser, any_path, number, one_of, output_folder
from dlx.errors import RequestError, list_words
from dlx.working import working

if TYPE_CHECKING:
    from dlx.importers.foreign_run import Columns
    from dlx.report.export.width import Width

FORMATS = ("csv", "docx", "xlsx", "tensorboard", "mlflow", "wandb")
SUMMARY = """Compare the runs of a study. Prints a table; writes index.html, which opens offline, the table as
CSV, Markdown and LaTeX, report.json, and plots/ as SVG, PNG and PDF into DIR/report/."""

EXAMPLES = """
dlx report
dlx report outputs/mystudy --metric val_loss
dlx report outputs/mystudy --baseline optimizer=sgd,lr=0.1
dlx report outputs/mystudy --by optimizer --tune lr
dlx report outputs/mystudy outputs/other --output both
dlx report --watch
dlx report outputs/mystudy --no-findings
dlx report runs.csv --setting optimizer,lr --seed seed --metric accuracy
dlx report lightning_logs
"""


def main(arguments: Sequence[str]) -> int:
    """Run `dlx report` with these arguments; return 0, or 130 or 143 if watching was stopped."""
    given = _parser().parse(arguments)
    if given.no_findings and (given.details or given.baseline or given.margin is not None):
        raise RequestError("--no-findings: cannot be combined with --details, --baseline or --margin")
    from dlx.report import renderer
    from dlx.report.folders import default_output, find_folders

    folders = find_folders(given.folders)
    renderer.start()  # loads during the imports that follow
    with working("reading the runs"):
        from dlx.report.analysis import Options
        from dlx.report.load import load_any
        from dlx.report.write import PAGE, write_report
        from dlx.study.looks import Looks

    by, tune = (_keys(each) for each in (given.by, given.tune))
    options = Options(by, tune, given.baseline, given.metric, given.margin, findings=not given.no_findings)
    output = given.output or default_output(folders[0])
    if given.output is None and output.is_symlink():
        raise RequestError(f"{output} is a symbolic link; name the folder to write into with --output")
    exports = _keys(given.export)
    if exports:
        from dlx.report.export.exports import check_installed

        check_installed(exports)
    command = shlex.join(["dlx", "report", *arguments])
    columns = _asked_columns(given)
    if given.watch is not None and (columns.named or not all(folder.is_dir() for folder in folders)):
        raise RequestError("--watch: only a study of dlx can be watched")
    with working("reading the runs"):
        study = None if given.watch is not None else load_any(folders, columns)
    if study and study.source:
        options = replace(options, metric=study.score)
    dlx_alone = len(folders) == 1 and not (study and study.source)
    looks = Looks(folders[0]) if dlx_alone and not given.no_findings else None  # nothing is tested
    write = partial(
        write_report,
        folders,
        output,
        command,
        options=options,
        exports=exports,
        columns=_keys(given.columns),
        width=given.width,
        details=given.details,
        looks=looks,
    )
    if given.watch is None:
        write(study=study)
        return 0
    from dlx.report.watch import watch_runs

    return watch_runs(folders, write, output / PAGE, given.watch)


def _asked_columns(given: Namespace) -> "Columns":
    from dlx.importers.foreign_run import Columns

    setting, seed = (_keys(each) for each in (given.setting, given.seed))
    metric, _, direction = given.metric.rpartition(":")
    if direction not in ("higher", "lower"):
        return Columns(setting, seed, given.metric, given.run, given.epoch)
    return Columns(setting, seed, metric, given.run, given.epoch, direction == "higher")


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
        help="a study, or any folder with runs in it, also of other programs, or a CSV table; several "
        "are reported together (default: the newest study under outputs/)",
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
        "--no-findings",
        action="store_true",
        help="only plots and tables, without answer, verdicts and diagnosis, for a class to discuss",
    )
    parser.add_argument(
        "--export",
        metavar="FORMAT,...",
        type=_formats,
        default="",
        help=f"also write {list_words(FORMATS)} beside the page; report.json is always there",
    )
    parser.add_argument(
        "--width",
        metavar="WIDTH",
        type=_width,
        help="also write every plot for print into figures/, this wide and with letters of 7 and 8 points: "
        "89mm, 3.5in, 252pt, or a journal's column, such as nature or nature-double",
    )
    parser.add_argument(
        "--columns",
        metavar="NAME,...",
        default="",
        help="the columns of table.tex, table.md and table.docx, in this order: optimizer,runs,val_accuracy "
        "(default: all)",
    )
    parser.add_argument(
        "--output", metavar="DIR", type=output_folder, help="write here (default: report/ in the first DIR)"
    )
    _add_comparison(parser)
    _add_columns(parser)
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
        metavar="NAME",
        default="",
        help="rank by this column of history.csv: val_loss, train_accuracy, f1_macro (of validation); end it "
        "with :higher or :lower if dlx cannot know which is better (default: the monitor if it is one of "
        "metrics, else val_accuracy, or val_loss if there is no accuracy)",
    )
    group.add_argument(
        "--margin",
        metavar="M",
        type=number(0),
        help="differences below M do not matter, so settings can be called equivalent (default: no margin)",
    )


def _width(word: str) -> "Width":
    from dlx.report.export.width import read_width

    try:
        return read_width(word)
    except RequestError as error:
        raise ArgumentTypeError(str(error)) from error


def _formats(words: str) -> str:
    for word in _keys(words):
        one_of(*FORMATS)(word)
    return words


def _add_columns(parser: Parser) -> None:
    """Add what says how to read the runs of other programs."""
    group = parser.add_argument_group(
        "runs of other programs", "What their files hold; dlx guesses what is not given, and says so."
    )
    options = {
        "--setting": ("COLUMN,...", "the settings to compare"),
        "--seed": ("COLUMN,...", "the seed, or whatever else tells repeats apart"),
        "--run": ("COLUMN", "what tells runs apart, in a table with one row an epoch or step"),
        "--epoch": ("COLUMN", "the epoch or step of a row"),
    }
    for flag, (metavar, words) in options.items():
        group.add_argument(flag, metavar=metavar, default="", help=words)


def _keys(words: str) -> tuple[str, ...]:
    return tuple(key.strip() for key in words.split(",") if key.strip())
