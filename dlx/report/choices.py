"""Names settings by the words that chose them: "slow_sgd", an sgd; "mlp_bn", which is an mlp."""

from collections.abc import Mapping, Sequence
from typing import Any

from dlx.run.identity import CHOICE, CHOSEN, comparable


def name_choices(
    asked: Mapping[str, dict[str, Any]], settings: Mapping[str, Mapping[str, Any]], by: Sequence[str]
) -> None:
    """Put the word that was typed in the place of a class's name, where that says more and is unambiguous.

    `asked`: by run, the settings that count (see `requested`), in which GROUP.name is changed. `settings`: by
    run, with the words as `choices.GROUP`. A group named in `by` gets a GROUP.name even if classes are the
    same. A word is ambiguous if runs with equal values of the group's keys were chosen by two words.
    """
    for group in CHOSEN:
        words = {run: values.get(f"{CHOICE}{group}") for run, values in settings.items()}
        if None in words.values() or len({*words.values()}) < 2:
            continue
        key = f"{group}.name"
        names = {values.get(key) for values in asked.values()}
        pairs = {(values.get(key), words[run]) for run, values in asked.items()}
        # A class with several words is told apart by a key, such as the norm of mlp and mlp_bn, which stays.
        if (1 < len(names) == len(pairs) or group in by) and _is_unambiguous(asked, words, group):
            for run, values in asked.items():
                values[key] = words[run]


def words_of_rows(
    settings: Mapping[str, Mapping[str, Any]], of_run: Mapping[str, int], rows: int
) -> dict[str, list[str | None]]:
    """Return by group the word that chose each row's part of it; None where its runs have several."""
    found: dict[str, list[str | None]] = {}
    for group in CHOSEN:
        words: list[set[str]] = [set() for _ in range(rows)]
        for run, index in of_run.items():
            words[index].add(str(settings[run].get(f"{CHOICE}{group}", "")))
        found[group] = [each.pop() if len(each) == 1 else None for each in words]
    return found


def _is_unambiguous(asked: Mapping[str, Mapping[str, Any]], words: Mapping[str, Any], group: str) -> bool:
    word_of: dict[str, Any] = {}
    for run, values in asked.items():
        own = comparable({key: value for key, value in values.items() if key.startswith(f"{group}.")})
        if word_of.setdefault(own, words[run]) != words[run]:
            return False
    return True
