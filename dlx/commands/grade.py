"""`dlx grade`: judges the runs that students hand in by those of a reference."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlx.commands.parser import Parser, any_path, output_folder
from dlx.errors import RequestError
from dlx.working import working

if TYPE_CHECKING:
    from rich.console import Console

    from dlx.grade.assignment import Assignment
    from dlx.grade.grading import Grade
    from dlx.grade.reference import Reference

SUMMARY = """Grade the runs that students hand in. A figure passes if it lies where a right solution's would,
judged by the runs of a reference. Writes grades.csv, grades.md and index.html."""

EXAMPLES = """
dlx grade --make-reference --against reference.yaml
dlx grade --against reference.yaml
dlx grade submissions --against reference.yaml
dlx grade submissions --against reference.yaml --students students.csv
dlx grade submissions --against reference.yaml --check-module
"""

NOTES = """
Each folder in SUBMISSIONS belongs to a student: runs or a study of dlx, or
logs of another program that dlx reads. A CSV table beside the folders is also
a submission. One that cannot be read gets a row with the reason. No code in a
submission is executed, except with --check-module. docs/how-to/teaching.md
shows an assignment from beginning to end, and what the reference's file holds.
"""

EXIT_CODES = (
    "0 every submission was graded; 1 one could not be; 2 the request, the reference or its runs were "
    "wrong; 4 storage failed; 130 interrupted."
)
REMARKS = 20  # students named below the table in the terminal


def main(arguments: Sequence[str]) -> int:
    """Run `dlx grade` with these arguments; return 0, or 1 if a submission could not be graded."""
    given = _parser().parse(arguments)
    if given.submissions is not None and not given.submissions.is_dir():
        raise RequestError(f"there is no folder '{given.submissions}' with submissions")
    from dlx.grade.assignment import read_assignment

    assignment = read_assignment(given.against)
    words = _module_words(assignment) if given.check_module else []
    people = read_people(given.students) if given.students else {}
    place = given.against.resolve().parent / Path(assignment.runs).expanduser()
    if given.make_reference:
        make_reference(assignment, place)
    if not place.exists():
        hint = f"dlx grade --make-reference --against {shlex.quote(str(given.against))}"
        raise RequestError(f"there are no reference runs in {place}; make them: {hint}")
    from rich.console import Console

    with working("reading the reference"):
        from dlx.grade.reference import read_reference

        reference = read_reference(assignment, place)
    console = Console(highlight=False)
    if given.submissions is None:
        _show_reference(console, reference)
        return 0
    grades = grade_all(reference, given.submissions, list(people), words)
    from dlx.grade.gradebook import save_grades

    output = given.output or given.submissions.resolve().with_name(
        f"{given.submissions.resolve().name}-grades"
    )
    page = save_grades(reference, grades, people, output, shlex.join(["dlx", "grade", *arguments]))
    _show(console, reference, grades, page)
    return 1 if any(each.unread for each in grades) else 0


def make_reference(assignment: "Assignment", place: Path) -> None:
    """Train the reference's runs, except finished ones. Raises RequestError for settings that are wrong."""
    if not assignment.settings:
        raise RequestError("--make-reference: the reference's file has no 'settings' to train")
    from dlx.compose.request import compose
    from dlx.study.training import train_request

    seeds = ",".join(map(str, range(assignment.seeds)))
    train_request(
        compose([*assignment.settings, f"seed={seeds}", f"name={place.name}", f"output_root={place.parent}"])
    )


def grade_all(
    reference: "Reference", submissions: Path, students: Sequence[str], words: Sequence[str]
) -> "list[Grade]":
    """Judge every submission; `students`: who is expected. `words`: check modules with these, [] for none."""
    from dlx.grade.grading import grade, submissions_in

    found = submissions_in(submissions)
    missing = [student for student in students if student not in found]
    if not found and not missing:
        raise RequestError(f"{submissions}: holds no submission; each is a folder, named after the student")
    with working(f"grading {len(found)} submissions") as say:
        grades = grade(reference, found, missing)
        for each in grades if words else ():
            if each.path is not None and each.path.is_dir() and not each.path.is_symlink():
                from dlx.grade.module_check import check_module

                say(f"checking the module of {each.student}")
                each.module = check_module(each.path, words)
    return grades


def read_people(path: Path) -> dict[str, Mapping[str, str]]:
    """Read a table of students, as `nbgrader db student import` does: id, last_name, first_name, email."""
    from dlx.importers.table import read_text_table

    table = read_text_table(path)
    column = next((name for name in ("id", "student_id", "student") if name in table.columns), "")
    if not column:
        raise RequestError(f"--students {path}: has no column 'id' (columns: {', '.join(table.columns)})")
    names = [name for name in ("last_name", "first_name", "email") if name in table.columns]
    return {
        student.strip(): {name: table.columns[name][row].strip() for name in names}
        for row, student in enumerate(table.columns[column])
    }


def _module_words(assignment: "Assignment") -> list[str]:
    own = [word for word in assignment.settings if word.startswith("model.target=")]
    words = assignment.check or (assignment.settings if own else [])
    if not words:
        raise RequestError(
            "--check-module: the reference's file names no module; add check: [model.target=mynet:Net]"
        )
    return list(words)


def _parser() -> Parser:
    parser = Parser("dlx grade", SUMMARY, examples=EXAMPLES, notes=NOTES, exit_codes=EXIT_CODES)
    parser.add_argument(
        "submissions",
        metavar="SUBMISSIONS",
        nargs="?",
        type=any_path,
        help="a folder with one folder or CSV table for each student (default: only show the reference)",
    )
    parser.add_argument(
        "--against",
        metavar="FILE",
        required=True,
        type=any_path,
        help="the assignment as YAML: its settings, the reference's runs, and the figures that it asks for",
    )
    parser.add_argument(
        "--make-reference", action="store_true", help="first train the reference's runs, except finished ones"
    )
    parser.add_argument(
        "--students",
        metavar="FILE",
        type=any_path,
        help="a CSV table with the column id (also last_name, first_name, email); missing students get a row",
    )
    parser.add_argument(
        "--check-module",
        action="store_true",
        help="also check the gradients of each student's own module. This runs the students' code with your "
        "rights: use it only in a container or an account of its own",
    )
    parser.add_argument(
        "--output", metavar="DIR", type=output_folder, help="write here (default: SUBMISSIONS-grades)"
    )
    return parser


def _show_reference(console: "Console", reference: "Reference") -> None:
    from rich.text import Text

    from dlx.grade.gradebook import limits_table, notes
    from dlx.report.terminal import print_table

    console.print(Text(reference.assignment.assignment, style="bold"))
    print_table(console, limits_table(reference))
    _print_notes(console, reference.warnings, notes(reference))


def _show(console: "Console", reference: "Reference", grades: "Sequence[Grade]", page: Path) -> None:
    """Print the table, what to look at, and the page. All text goes through `Text`."""
    from rich.text import Text

    from dlx.grade.gradebook import CSV, finding, grades_table, notes, remarks
    from dlx.report.terminal import print_table
    from dlx.report.text import visible

    console.print(Text(reference.assignment.assignment, style="dim"))
    console.print(Text(finding(reference, grades), style="bold"))
    print_table(console, grades_table(reference, grades), f"on the page and in {CSV}")
    said = remarks(grades)
    for student, text in said[:REMARKS]:
        for index, line in enumerate(Text(f"{student}: {text}").wrap(console, console.width - 2)):
            line.rstrip()
            console.print(Text("  " if index else "- ") + line)
    if len(said) > REMARKS:
        console.print(Text(f"and remarks on {len(said) - REMARKS} more students, on the page", style="dim"))
    if said:
        console.print()
    _print_notes(console, reference.warnings, notes(reference))
    console.print(Text(f"\n{visible(str(page))}", style="bold"), soft_wrap=True)


def _print_notes(console: "Console", warnings: Sequence[str], notes: Sequence[str]) -> None:
    from rich.text import Text

    for warning in warnings:
        console.print(Text(warning, style="yellow"))
    console.print(Text(" ".join(notes), style="dim"))
