"""Effects in words: what each key does, where that depends on another key, and how it was tested."""

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from dlx.metrics.catalogue import label_of
from dlx.report.text import write_count, write_difference, write_metric, write_names
from dlx.stats.factorial import FEWEST

if TYPE_CHECKING:
    from dlx.report.effects import Effect, Effects, Interaction, Verdict
OTHERS = "the other values"
MOST_AT = 4  # values of a key at which an effect is told; of more, only the two extremes are


def write_findings(effects: "Effects") -> list[str]:
    """Return what was found, the largest effect first, then the keys without a shown effect.

    An interaction comes before the averages of its keys, because these depend on the values in the grid.
    """
    if effects.units < FEWEST:
        return [_untested(effects)]
    size = {each.key: abs(each.difference) for each in reversed(effects.main)}
    said: list[tuple[float, str]] = []
    for both in effects.interactions:
        largest = max(abs(each.difference) for each in both.at.values())
        said.append((max(largest, size[both.key], size[both.by]), _interaction_sentence(both, effects)))
    said += [(abs(each.difference), _main_sentence(each, effects)) for each in _against_best(effects)]
    said.sort(key=lambda each: -each[0])  # stable: an interaction stays before an average of the same size
    keys = len({each.key for each in effects.main})
    first = [] if said else [f"None of the {keys} keys is shown to make a difference."]
    return first + [sentence for _, sentence in said] + _undecided_sentences(effects) + _may_differ(effects)


def write_headline(effects: "Effects") -> str:
    """Return the most important finding; of an interaction without the intervals, which follow below."""
    sentences = write_findings(effects)
    for both in effects.interactions:
        if sentences[0] == _interaction_sentence(both, effects):
            return _interaction_sentence(both, effects, short=True)
    return sentences[0]


def write_together(effects: "Effects") -> list[str]:
    """Name the best values of the two keys that interact most clearly; [] if none do."""
    if not effects.interactions:
        return []
    both = effects.interactions[0]
    best = max if effects.higher else min
    (value, by), mean = best(both.means.items(), key=lambda each: each[1])
    score = write_metric(effects.metric, mean)
    return [f"Best together: {both.name} {value} with {both.by_name} {by} ({score} on average)."]


def write_apart(effects: "Effects") -> list[str]:
    """Return what was found of keys that do not interact, apart from the headline."""
    interacting = {key for both in effects.interactions for key in (both.key, both.by)}
    alone = [_main_sentence(each, effects) for each in _against_best(effects) if each.key not in interacting]
    return [sentence for sentence in alone if sentence != write_headline(effects)]


def _against_best(effects: "Effects") -> list["Effect"]:
    """Return the effects that were found, better value first; of a key's pairs only those with its best."""
    turned_M = [
        turned(each) if each.other and (each.difference > 0) != effects.higher else each
        for each in effects.main
    ]
    wins = Counter((each.key, each.value) for each in turned_M if each.other)
    most = {key: max(wins[pair] for pair in wins if pair[0] == key) for key, _ in wins}
    return [
        each
        for each in turned_M
        if each.verdict != "undecided" and (not each.other or wins[each.key, each.value] == most[each.key])
    ]


def _main_sentence(effect: "Effect", effects: "Effects") -> str:
    """Say which of two values of a key is better, by how much, and in how many matched pairs."""
    side, count = ("higher", effect.higher) if effect.difference > 0 else ("lower", effect.lower)
    depends = any(effect.key in (both.key, both.by) for both in effects.interactions)
    average = "On average over this grid, " if depends else ""
    other = f"{effect.name} {effect.other}" if effect.other else OTHERS
    than = f"{effect.value} is {effect.verdict} than {other}"
    pairs = f"{side} in {count} of {write_count(effect.pairs, 'matched pair')}"
    return f"{average}{effect.name} {than}: {write_effect(effects.metric, effect)}, {pairs}."


def _interaction_sentence(both: "Interaction", effects: "Effects", *, short: bool = False) -> str:
    """Say what one key does at each value of the other, the largest effect first; `short`: no intervals."""
    at = sorted(both.at.items(), key=lambda each: -abs(each[1].difference))
    if (at[0][1].difference > 0) != effects.higher and both.other:  # the better value first
        at = [(value, turned(effect)) for value, effect in at]
    if len(at) > MOST_AT:
        at = [at[0], at[-1]]
    parts = [
        _clause(effects.metric, effect, f"with {both.by_name} {value}", first=index == 0, short=short)
        for index, (value, effect) in enumerate(at)
    ]
    return (
        f"What {both.name} does depends on {both.by_name}: {at[0][1].value} instead of "
        f"{at[0][1].other or OTHERS} gives {', '.join(parts[:-1])} and {parts[-1]}."
    )


def _clause(metric: str, effect: "Effect", where: str, *, first: bool, short: bool) -> str:
    if short:
        unclear = effect.low <= 0 <= effect.high and effect.verdict == "undecided"
        return f"{'no clear difference' if unclear else _signed(metric, effect.difference)} {where}"
    interval = _interval(metric, effect, "95% interval " if first else "")
    if effect.low <= 0 <= effect.high and effect.verdict == "undecided":
        return f"no clear difference {where} ({_signed(metric, effect.difference)}, {interval})"
    return f"{_signed(metric, effect.difference)} {where} ({interval})"


def _undecided_sentences(effects: "Effects") -> list[str]:
    """Say for which keys no effect is shown, and how large one could be."""
    shown = {each.key for each in effects.main if each.verdict != "undecided"}
    shown |= {key for both in effects.interactions for key in (both.key, both.by)}
    largest = {each.key: each for each in reversed(effects.main) if each.key not in shown}
    return [
        f"No effect of {each.name} is shown: {each.value} minus {each.other or OTHERS} is "
        f"{write_effect(effects.metric, each)}."
        for each in sorted(largest.values(), key=lambda each: -abs(each.difference))
    ]


def _may_differ(effects: "Effects") -> list[str]:
    """Say how far effects may depend on other keys where that is not shown."""
    if effects.undecided_up_to != effects.undecided_up_to:
        return []
    pair = "other pair" if effects.interactions else "pair"
    most = write_difference(effects.metric, effects.undecided_up_to)
    return [f"No {pair} of keys is shown to interact, but effects may differ by up to {most}."]


def _untested(effects: "Effects") -> str:
    first = effects.main[0]
    difference = f"{first.value} minus {first.other or OTHERS} is {_signed(effects.metric, first.difference)}"
    return (
        f"{first.name} makes the largest difference on average: {difference}. With a single {effects.unit}, "
        "this may be chance."
    )


def write_method(effects: "Effects") -> list[str]:
    """Say what an effect is, how it was tested, and what the tests assume."""
    name = label_of(effects.metric)
    said = [f"An effect is the mean difference in {name} between runs that differ in one key alone."]
    said.append("It is an average over this grid's values of the other keys.")
    if effects.units < FEWEST:
        return said
    units = write_count(effects.units, effects.unit)
    said.append(
        f"The {effects.tests} effects and interactions were tested together: moderated paired t tests over "
        f"{units}, with Holm's correction."
    )
    assumed = f"The tests assume that effects vary roughly normally between {effects.unit}s"
    if effects.units == FEWEST:
        assumed += f", and about equally for all keys, because {units} cannot show how much each one varies"
    said.append(f"{assumed}.")
    if effects.left_out:
        said.append(f"Left out, because no run completed: {write_names(effects.left_out)}.")
    if effects.missing:
        said.append(
            f"{effects.missing} of the grid's {effects.settings * effects.units:,} scores are missing. A "
            "pair counts only if both its runs completed."
        )
    return said


def turned(effect: "Effect") -> "Effect":
    """Return the same effect with its two values exchanged."""
    opposite: dict[Verdict, Verdict] = {"better": "worse", "worse": "better", "undecided": "undecided"}
    return replace(
        effect,
        value=effect.other,
        other=effect.value,
        difference=-effect.difference,
        low=0.0 - effect.high,  # not -0.0
        high=0.0 - effect.low,
        higher=effect.lower,
        lower=effect.higher,
        verdict=opposite[effect.verdict],
    )


def write_effect(metric: str, effect: "Effect") -> str:
    """Write an effect with its interval; accuracies in points, which are hundredths."""
    interval = f" ({_interval(metric, effect)})" if effect.low == effect.low else ""
    return f"{_signed(metric, effect.difference)}{interval}"


def _interval(metric: str, effect: "Effect", before: str = "95% interval ") -> str:
    return before + write_difference(metric, effect.low, effect.high).removesuffix(" points")


def _signed(metric: str, difference: float) -> str:
    return f"{'+' if difference > 0 else ''}{write_difference(metric, difference)}"
