"""Messages keep what is short of the user's own text, and cut what is long in its middle."""

import pytest

from dlx.errors import RequestError, describe_failure, in_one_line, nearest, shorten_quotes, unknown


def test_a_message_of_short_words_stays_as_it_is():
    message = f"model='{'a' * 50}': there is no such thing (allowed: {', '.join(['mlp'] * 20)})"
    assert str(RequestError(message)) == message


def test_one_long_piece_is_cut_to_200_characters_in_its_middle():
    given = "".join(map(str, range(200)))
    cut = str(RequestError(f"epochs={given}: must be a whole number"))
    piece = cut.split(" ", maxsplit=1)[0]
    assert len(piece) == 200
    assert piece.startswith("epochs=01234")
    assert piece.endswith("198199:")
    assert cut.endswith(": must be a whole number")


def test_a_notebook_prints_the_line_without_a_traceback(monkeypatch):
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell
    printed = []

    class Shell(shell):
        """Prints nothing, and has none of the parts that a whole shell starts."""

        call_pdb = False

        def __init__(self):
            self._last_traceback = None

        def _get_exc_info(self, _=None):
            error = RequestError("epochs='x': must be a whole number")
            return RequestError, error, None

        def _showtraceback(self, _, error, lines):
            printed.append(lines)

    Shell().showtraceback()
    assert printed == [["RequestError: epochs='x': must be a whole number"]]
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(NotImplementedError):
        in_one_line(RequestError("x"))


@pytest.mark.parametrize(
    "long", ["'a b" + " c" * 500 + "'", '"a b' + " c" * 500 + '"', "[1, 2" + ", 3" * 500 + "]", "x" * 1000]
)
def test_two_long_pieces_share_the_200_characters(long):
    cut = shorten_quotes(f"{long} and {long} are equal")
    assert len(cut) == 200 + len(" and  are equal")
    assert cut.count("\N{HORIZONTAL ELLIPSIS}") == 2


def test_a_message_without_end_is_cut():
    assert len(shorten_quotes("' " * 1_000_000)) == 600


def test_shortening_twice_changes_nothing():
    once = shorten_quotes(f"a='{'x' * 300}' and '{'y' * 300}' [in 'lr={'z' * 90}']")
    assert shorten_quotes(once) == once


def test_names_are_near_in_any_case_and_by_their_initials():
    assert nearest("MLP", ["cnn", "mlp"]) == "; did you mean 'mlp'?"
    assert nearest("mse", ["cross_entropy", "mean_squared_error"]) == "; did you mean 'mean_squared_error'?"
    assert nearest("qqq", ["cnn", "mlp"]) == ""


def test_a_long_list_of_names_is_counted():
    error = unknown("model", "mine", [f"net{number:03}" for number in range(45)])
    assert str(error).endswith("net038, net039 and 5 more)")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory"
        ),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    ],
)
def test_a_run_that_found_no_memory_says_so_and_what_needs_less(error):
    assert describe_failure(error).startswith("no memory was left; a smaller batch_size")


def test_a_run_that_failed_is_described_by_the_first_line_of_its_error():
    assert describe_failure(ValueError("one\ntwo")) == "ValueError: one"
