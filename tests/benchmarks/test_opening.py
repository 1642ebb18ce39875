"""The table that opens the page: the best of others beside dlx, each case in its section's place."""

from tests.benchmarks.measure import Samples
from tests.benchmarks.opening import anchor, merged, opening_rows
from tests.benchmarks.section import Case, Section

MEASURED = {
    "auto": Samples({"wall": [2.0, 4.0]}),
    "loop": Samples({"wall": [6.0]}),
    "slow": Samples({"wall": [30.0]}),
    "quick": Samples({"wall": [1.5]}),
    "lost": Samples(error="OSError: no"),
}


def section(*cases):
    return Section("", {}, cases=cases)


def wall(*names):
    return {f"the {name} one": (name, "wall") for name in names}


def test_the_fastest_of_the_others_is_shown_with_its_name():
    case = Case(
        "a case",
        ("auto", "wall"),
        ("loop", "wall"),
        wall("slow", "quick", "lost"),
        wall("slow"),
        ("quick", "wall"),
    )
    assert opening_rows("One: two", section(case), MEASURED) == [
        [
            "[a case](#one-two)",
            "3 s",
            "6 s",
            "1.5 s, the quick one",
            "30 s, the slow one",
            "0.5",
            "10",
            "2",
        ]
    ]


def test_cells_of_what_there_is_not_are_empty():
    case = Case("a case", ("auto", "wall"), peers=wall("lost"))
    assert opening_rows("One", section(case), MEASURED) == [["[a case](#one)", "3 s", *[""] * 6]]


def test_a_case_that_dlx_failed_has_no_row():
    assert opening_rows("One", section(Case("a case", ("lost", "wall"))), MEASURED) == []


def test_a_measured_section_loses_its_earlier_rows_and_others_keep_theirs():
    held = [["[a](#one-two)", "old"], ["[b](#three)", "kept"], ["[c](#gone)", "of an earlier dlx"]]
    rows = merged(held, [["[d](#one-two)", "new"]], ["One: two"], ["Three", "One: two"])
    assert rows == [["[b](#three)", "kept"], ["[d](#one-two)", "new"]]
    assert merged(held, [], ["One: two"], ["Three", "One: two"]) == [["[b](#three)", "kept"]]


def test_a_heading_is_linked_as_on_github():
    assert anchor("Other nets, and many seeds") == "other-nets-and-many-seeds"
