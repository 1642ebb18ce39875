"""Effects in words: what each key does, where that depends on another key, and how it was tested."""

from dataclasses import replace
from typing import TYPE_CHECKING

from dlx.report.text import METRIC_NAMES, write_count, write_difference
from dlx.stats.factorial import FEWEST

if TYPE_CHECKING:
    from dlx.report.effects import Effect, Effects, Interaction
MOST_AT = 4  # values of a key at which an effect is told; of more, only the two extremes are


def write_findings(effects: "Effects") -> list[str]:
    """Return what was found, the largest effect first, then the keys without a shown effect.

    An interaction comes before the averages of its keys, because these depend on the values in the grid.
    """
    if effects.units < FEWEST:
        return [_single_seed(effects)]
    size = {each.key: abs(each.difference) for each in reversed(effects.main)}
    said: list[tuple[float, str]] = []
    for both in effects.interactions:
        largest = max(abs(each.difference) for each in both.at.values())
        said.append((max(largest, size[both.key], size[both.by]), _interaction_sentence(both, effects)))
    for effect in effects.main:
        if effect.verdict != "undecided":
            said.append((abs(effect.difference), _main_sentence(effect, effects)))
    said.sort(key=lambda each: -each[0])  # stable: an interaction stays before an average of the same size
    return [sentence for _, sentence in said] + _open_sentences(effects)


def _main_sentence(effect: "Effect", effects: "Effects") -> str:
    """Say which of two values of a key is better, by how much, and in how many matched pairs."""
    if effect.verdict == "worse" and effect.other:
        effect = turned(effect)
    side, count = ("higher", effect.higher) if effect.difference > 0 else ("lower", effect.lower)
    average = "On average over this grid, " if _depends(effect.key, effects) else ""
    return (
        f"{average}{effect.name} {effect.value} is {effect.verdict} than {effect.other or 'the other values'}: "
        f"{write_effect(effects.metric, effect)}, {side} in {count} of "
        f"{write_count(effect.pairs, 'matched pair')}."
    )


def _interaction_sentence(both: "Interaction", effects: "Effects") -> str:
    """Say what one key does at each value of the other, the largest effect first."""
    at = sorted(both.at.items(), key=lambda each: -abs(each[1].difference))
    if (at[0][1].difference > 0) != effects.higher and both.other:  # the better value first
        at = [(value, turned(effect)) for value, effect in at]
    if len(at) > MOST_AT:
        at = [at[0], at[-1]]
    parts = [
        _clause(effects.metric, effect, f"with {both.by_name} {value}", first=index == 0)
        for index, (value, effect) in enumerate(at)
    ]
    return (
        f"What {both.name} does depends on {both.by_name}: {at[0][1].value} instead of "
        f"{at[0][1].other or 'the other values'} gives {', '.join(parts[:-1])} and {parts[-1]}."
    )


def _clause(metric: str, effect: "Effect", where: str, *, first: bool) -> str:
    interval = _interval(metric, effect, "95% interval " if first else "")
    if effect.low <= 0 <= effect.high and effect.verdict == "undecided":
        return f"no clear difference {where} ({_signed(metric, effect.difference)}, {interval})"
    return f"{_signed(metric, effect.difference)} {where} ({interval})"


def _open_sentences(effects: "Effects") -> list[str]:
    """Say for which keys no effect is shown, and how large one could be."""
    found = {each.key for each in effects.main if each.verdict != "undecided"}
    found |= {key for both in effects.interactions for key in (both.key, both.by)}
    largest = {each.key: each for each in reversed(effects.main) if each.key not in found}
    return [
        f"No effect of {each.name} is shown: {each.value} minus {each.other or 'the other values'} is "
        f"{write_effect(effects.metric, each)}, higher in {each.higher} of "
        f"{write_count(each.pairs, 'matched pair')}."
        for each in sorted(largest.values(), key=lambda each: -abs(each.difference))
    ]


def _single_seed(effects: "Effects") -> str:
    first = effects.main[0]
    return (
        f"The largest average difference is that of {first.name}: {first.value} minus "
        f"{first.other or 'the other values'} is {_signed(effects.metric, first.difference)}. With a single "
        f"{effects.unit}, no effect can be told from chance."
    )


def write_method(effects: "Effects") -> list[str]:
    """Say what an effect is, how it was tested, and what the tests assume."""
    name = METRIC_NAMES[effects.metric]
    said = [
        f"An effect is the difference in {name} between runs that differ in one key alone, averaged over the "
        "grid's values of the other keys."
    ]
    if effects.units < FEWEST:
        return said
    assumed = f"They assume that effects vary roughly normally between {effects.unit}s"
    if effects.units == FEWEST:
        assumed += f", and about equally for all keys, because 2 {effects.unit}s cannot show how much each varies"
    said += [
        f"{effects.tests} effects and interactions were tested together (moderated paired t tests over "
        f"{write_count(effects.units, effects.unit)}, Holm's correction).",
        f"{assumed}.",
    ]
    if effects.missing:
        total = effects.settings * effects.units
        said.append(
            f"{effects.missing} of the {total:,} runs of the grid are missing. A matched pair counts only if "
            "both its runs were completed."
        )
    return said


def _depends(key: str, effects: "Effects") -> bool:
    return any(key in (both.key, both.by) for both in effects.interactions)


def turned(effect: "Effect") -> "Effect":
    """Return the same effect with its two values exchanged."""
    opposite = {"better": "worse", "worse": "better", "undecided": "undecided"}
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
