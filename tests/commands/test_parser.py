"""The parser of every verb: words in any order, and one plain sentence for each kind of mistake."""

import pytest

from dlx.commands.parser import Parser, number, one_of, whole_number
from dlx.errors import RequestError


@pytest.fixture
def parser():
    made = Parser("dlx example", "Do it.", examples="dlx example x", notes="Note.", exit_codes="0 done")
    made.add_argument("words", nargs="*", help="any words")
    made.add_argument("--split", "-s", type=one_of("test", "val"), default="test")
    made.add_argument("--count", type=whole_number(1))
    made.add_argument("--share", type=number(0, below=1))
    made.add_argument("--limit", type=number(0))
    made.add_argument("--all", action="store_true")
    made.add_flag_with_optional_value("--watch", const="10", pattern=r"[\d.]+", type=number(0))
    return made


def test_flags_and_other_words_may_be_mixed(parser):
    given = parser.parse(["a", "--count", "3", "+b=1", "--all", "~c", "--split=val", "d=1,2", "-s", "test"])
    assert given.words == ["a", "+b=1", "~c", "d=1,2"]
    assert (given.count, given.all, given.split) == (3, True, "test")


@pytest.mark.parametrize(
    ("words", "watch", "others"),
    [
        ("--watch folder", 10, ["folder"]),
        ("--watch 3 folder", 3, ["folder"]),
        ("--watch=3 folder", 3, ["folder"]),
        ("folder --watch", 10, ["folder"]),
        ("--watch --all", 10, []),
        ("folder", None, ["folder"]),
    ],
)
def test_an_optional_value_does_not_swallow_the_next_word(parser, words, watch, others):
    given = parser.parse(words.split())
    assert (given.watch, given.words) == (watch, others)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--al", "there is no flag --al; did you mean '--all'? (allowed: --help, --split, --count, --share"),
        ("--al=3", "there is no flag --al; did you mean '--all'?"),
        ("-x", "there is no flag -x (allowed: --help"),
        ("--count", "--count needs a value"),
        ("--count --all", "--count needs a value"),
        ("--count 0", "--count: '0' is not a whole number of 1 or more"),
        ("--count 1.5", "--count: '1.5' is not a whole number of 1 or more"),
        ("--count ²", "--count: '²' is not a whole number of 1 or more"),
        ("--share 1", "--share: '1' is not a number between 0 and 1"),
        ("--limit nan", "--limit: 'nan' is not a number above 0"),
        ("--limit=inf", "--limit: 'inf' is not a number above 0"),
        ("--limit x", "--limit: 'x' is not a number above 0"),
        ("--split tets", "--split: 'tets' is not one of test, val; did you mean 'test'?"),
        ("-s best", "--split: 'best' is not one of test, val"),
        ("--all=yes", "--all takes no value, but was given 'yes'"),
        ("--watch=soon", "--watch: 'soon' is not a number above 0"),
    ],
)
def test_a_mistake_is_one_plain_sentence(parser, words, said):
    with pytest.raises(RequestError) as caught:
        parser.parse(words.split())
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_missing_and_extra_words_are_named():
    parser = Parser("dlx example", "Do it.", examples="dlx example x", exit_codes="0 done")
    parser.add_argument("folder", metavar="DIR")
    with pytest.raises(RequestError, match=r"^DIR is missing; `dlx example --help` has examples$"):
        parser.parse([])
    with pytest.raises(RequestError, match=r"^there is one word too many: 'b'$"):
        parser.parse(["a", "b"])


def test_the_help_shows_usage_summary_options_notes_examples_and_exit_codes_in_this_order(parser, capsys):
    with pytest.raises(SystemExit) as caught:
        parser.parse(["--help"])
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    parts = ["usage: dlx example", "Do it.", "any words", "options:", "Note.", "examples:\n  dlx example x"]
    positions = [printed.index(part) for part in [*parts, "exit codes: 0 done"]]
    assert positions == sorted(positions)
