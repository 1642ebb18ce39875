"""The tables, and the file that keeps what was not measured this time."""

import pytest
from rich.console import Console

from tests.benchmarks.measure import Samples
from tests.benchmarks.opening import HEADER
from tests.benchmarks.page import claim_rows, insert, markdown, measured_rows, print_section, update
from tests.benchmarks.section import Claim, Section

MEASURED = {
    "dlx": Samples({"wall": [2.0, 1.0, 3.0]}),
    "a|b": Samples({"wall": [900.0], "start-up": [4.0]}),
    "lost": Samples(error="ModuleNotFoundError: No module named 'lost'"),
}
CLAIMS = [
    Claim("faster", ("a|b", "wall"), [("dlx", "wall")], 500, at_most=False),
    Claim("under 5 s", ("dlx", "wall"), [], 5),
    Claim("of the lost", ("lost", "wall"), [], 5),
]
SECTION = Section(about="\nWhat was done.\n", contestants={}, claims=CLAIMS, base=("dlx", "wall"))


def test_a_row_has_medians_with_their_range_and_the_ratio_to_the_base():
    assert measured_rows(SECTION, MEASURED) == [
        ["", "wall", "start-up", "ratio to dlx"],
        ["dlx", "2 (1 to 3)", "", "1"],
        ["a|b", "900", "4", "450"],
        ["lost", "failed: ModuleNotFoundError: No module named 'lost'", "", ""],
    ]


def test_a_bound_is_shown_with_what_was_reached():
    assert claim_rows(CLAIMS, MEASURED)[1:] == [
        ["faster", "450", "no"],
        ["under 5 s", "2 s", "yes"],
        ["of the lost", "", "not measured"],
    ]


def test_a_terminal_shows_both_tables():
    console = Console(width=120)
    with console.capture() as capture:
        print_section(console, "Speed", SECTION, MEASURED)
    assert "2 (1 to 3)" in capture.get()
    assert "not measured" in capture.get()


def test_a_section_is_markdown_whose_cells_hold():
    text = markdown("Speed", SECTION, MEASURED, ["Then and there."])
    assert text.startswith("## Speed\n\nWhat was done.\n\n| ")
    assert "| a\\|b | 900 | 4 | 450 |" in text
    assert text.endswith("\n\nThen and there.\n")


def test_what_a_section_concludes_follows_its_tables():
    section = Section("About.", {}, conclude=lambda measured: f"Of {len(measured)}.")
    assert markdown("Speed", section, MEASURED, ["Then."]).endswith("|\n\nOf 3.\n\nThen.\n")


def test_a_section_that_was_not_measured_keeps_its_text_and_its_rows(tmp_path):
    file = tmp_path / "docs" / "benchmarks.md"
    order = ("One", "Two", "Three")
    texts = {"Three": "## Three\n\nold\n", "One": "## One\n\nfirst\n"}
    update(file, texts, [row("c", "three", "1 s"), row("a|b", "one", "2 s")], order)
    texts = {"Two": "## Two\n\nnew\n", "Three": "## Three\n\nnewer\n"}
    update(file, texts, [row("new", "three", "3 s")], order)
    text = file.read_text()
    assert text.startswith("# Benchmarks\n\n|  | dlx, ")
    assert text.endswith("## One\n\nfirst\n\n## Two\n\nnew\n\n## Three\n\nnewer\n")
    assert [line for line in text.splitlines() if line.startswith("| [")] == [
        "| [a\\|b](#one) | 2 s |  |  |  |  |  |  |",
        "| [new](#three) | 3 s |  |  |  |  |  |  |",
    ]
    update(file, {}, [], order)
    assert file.read_text() == text


def row(name, section, seconds):
    return [f"[{name}](#{section})", seconds, *[""] * (len(HEADER) - 2)]


def test_a_part_of_another_page_is_replaced_between_its_markers(tmp_path):
    file = tmp_path / "scaling.md"
    file.write_text("# Text\n\n<!-- cost: written by make bench -->\nold\n<!-- cost: end -->\nmore\n")
    insert(file, "new\n", "cost")
    insert(file, "newer\n", "cost")
    marked = "<!-- cost: written by make bench -->\n\nnewer\n\n<!-- cost: end -->"
    assert file.read_text() == f"# Text\n\n{marked}\nmore\n"
    with pytest.raises(ValueError, match="has no lines"):
        insert(file, "new", "other")
    insert(tmp_path / "new.md", "new\n", "cost")
    assert (tmp_path / "new.md").read_text() == f"{marked.replace('newer', 'new')}\n"
