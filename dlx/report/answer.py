"""The answer: what a report says first, and what stands behind it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import isnan
from typing import TYPE_CHECKING, Any, Literal

from dlx.metrics.catalogue import label_of, sentence_case
from dlx.report.comparison import Comparison
from dlx.report.comparison_text import about_folds, method, sentence
from dlx.report.effects import Effects
from dlx.report.held_out import held_out_results
from dlx.report.load import METRICS
from dlx.report.more_seeds import what_more_would_show
from dlx.report.text import visible, write_count, write_difference, write_metric, write_names
from dlx.report.uncertainty import estimate_uncertainty, uncertainty_sentences
from dlx.run.folds import Folding
from dlx.run.result import STATUSES
from dlx.stats.tests import FEWEST

if TYPE_CHECKING:
    from dlx.report.analysis import Analysis

Group = Literal["best", "tied", "undecided", "worse", "untested"]
FEW = 3  # settings that a sentence names


@dataclass(frozen=True)
class Answer:
    """`sentence`: the answer. `next_step`: what to do now, "" if nothing. `method`: how it was found.

    `groups`: of each setting with a completed run, by its index in Design.rows: the "best" mean; "tied" with
    it (equal, or equivalent within a declared margin); "undecided" (not shown to be worse); "worse";
    "untested".
    `remarks`: what changes how the answer is read. `details`: what stands behind it, one paragraph each.
    `by_effects`: whether the sentence is about the keys of a grid, not about its settings.
    """

    sentence: str
    next_step: str = ""
    method: str = ""
    groups: dict[int, Group] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    by_effects: bool = False


def find_answer(analysis: "Analysis") -> Answer:
    """Say which setting is best, and how sure that is."""
    summary = analysis.summary
    rows = summary.table.to_dict(orient="records")
    ranked = [row for row in rows if row[f"{summary.metric}_last_mean"] == row[f"{summary.metric}_last_mean"]]
    incomplete = _incomplete(rows)
    if not ranked:
        return Answer(f"No run completed, so there is nothing to compare. {incomplete}".strip())
    if summary.exact:
        return Answer(_lowest_value(rows, ranked), details=_lowest_on_the_way(rows, ranked, incomplete))
    groups = _groups(analysis, ranked)
    notes = (
        analysis.comparisons.tuned,
        _baseline(analysis),
        _two_kinds(analysis, rows),
        incomplete,
        analysis.data.repeats,
    )
    remarks = [each for each in notes if each]
    of_settings = Answer(
        _sentence(analysis, ranked, groups),
        _next_step(analysis, groups),
        method(analysis.comparisons),
        groups,
        remarks,
        _details(analysis),
    )
    effects = analysis.effects
    return _of_effects(effects, of_settings, analysis) if isinstance(effects, Effects) else of_settings


def _of_effects(effects: Effects, of_settings: Answer, analysis: "Analysis") -> Answer:
    """Put what each key of a grid does first if that is the answer, else last."""
    if not effects.answers:
        return replace(of_settings, details=[*of_settings.details, " ".join(effects.sentences)])
    definition, how = " ".join(effects.method[:2]), " ".join(effects.method[2:])
    untested = "untested" in of_settings.groups.values()
    more = f"To compare single settings, train at least {FEWEST} {effects.unit}s." if untested else ""
    return replace(
        of_settings,
        sentence=effects.headline,
        next_step=more or of_settings.next_step,
        method=how + about_folds(analysis.comparisons),
        by_effects=True,
        remarks=[*effects.together, *effects.apart[: FEW - 1], of_settings.sentence, *of_settings.remarks],
        details=[" ".join(effects.sentences), definition, of_settings.method, *of_settings.details],
    )


def _groups(analysis: "Analysis", ranked: Sequence[dict[Any, Any]]) -> dict[int, Group]:
    of_verdict: dict[str, Group] = {"worse": "worse", "equal": "tied", "equivalent": "tied"}
    pairs = {each.setting: each for each in analysis.comparisons.against_best}
    groups: dict[int, Group] = {}
    for rank, row in enumerate(ranked):
        setting, pair = int(row["setting"]), pairs.get(int(row["setting"]))
        if rank == 0:
            groups[setting] = "best"
        elif pair is None or not (pair.tested or pair.verdict == "equal"):
            groups[setting] = "untested"
        else:
            groups[setting] = of_verdict.get(pair.verdict, "undecided")
    return groups


def _sentence(analysis: "Analysis", ranked: list[dict[Any, Any]], groups: dict[int, Group]) -> str:
    summary, comparisons = analysis.summary, analysis.comparisons
    name, best = label_of(summary.metric), ranked[0]
    score = _score(analysis, best)
    if len(analysis.design.rows) == 1:
        return f"{sentence_case(name)} is {score}."
    label, count = best["label"], Counter(groups.values())
    others = len(ranked) - 1
    if not others:
        return f"Only {label} completed: {name} {score}."
    if comparisons.averaged:
        keys = ", ".join(visible(key) for key in comparisons.averaged)
        return (
            f"{label} has the best {name} on average ({score}), but that depends on which values of {keys} "
            "were tried."
        )
    if count["untested"] == others:
        return f"The best score is that of {label} ({name} {score}), but {_why_untested(analysis, ranked)}."
    if count["worse"] == others:
        return f"{label} is best: {name} {score}, {_lead(analysis, ranked)}."
    if not count["worse"]:
        rest = f"any of the other {others} settings" if others > 1 else ranked[1]["label"]
        if count["tied"] == others and isnan(comparisons.margin):
            return f"{label} and {rest.replace('any of ', '')} are tied: {name} {score}."
        if count["tied"] == others:
            margin = write_difference(summary.metric, comparisons.margin)
            near = f"{rest} differs by less than your margin of {margin}"
            return f"{label} scored best ({name} {score}), but {near}."
        end = "highest" if summary.higher else "lowest"
        return f"{label} scored {end} ({name} {score}), but {rest} may be as good."
    return _remaining(analysis, ranked, groups, score)


def _lead(analysis: "Analysis", ranked: list[dict[Any, Any]]) -> str:
    """Say what the best setting is better than; than a single other one, by how much."""
    if len(ranked) > 2:
        return f"better than each of the other {len(ranked) - 1} settings"
    size = write_difference(analysis.summary.metric, abs(analysis.comparisons.against_best[0].difference))
    return f"{size} better than {ranked[1]['label']}"


def _remaining(
    analysis: "Analysis", ranked: list[dict[Any, Any]], groups: dict[int, Group], score: str
) -> str:
    """Say how many settings may be the best, and name them if they are few."""
    metric = analysis.summary.metric
    remain = [row for row in ranked if groups[int(row["setting"])] not in ("worse", "untested")]
    worse = sum(group == "worse" for group in groups.values())
    untested = sum(group == "untested" for group in groups.values())
    not_compared = f" {untested} could not be compared." if untested else ""
    if len(remain) <= FEW:
        scores = [f"{row['label']} ({write_metric(metric, row[f'{metric}_last_mean'])})" for row in remain]
        rest = f"The other {worse} are worse." if worse > 1 else "The other one is worse."
        by = "" if metric in METRICS else f" by {label_of(metric)}"
        may_be = f"{len(remain)} of {len(ranked)} settings may be the best{by}: {'; '.join(scores)}."
        return f"{may_be} {rest}{not_compared}"
    return (
        f"{remain[0]['label']} scored best ({label_of(metric)} {score}); {len(remain) - 1} of the other "
        f"{len(ranked) - 1} settings may be as good, and {worse} {'are' if worse > 1 else 'is'} worse."
        f"{not_compared}"
    )


def _score(analysis: "Analysis", row: dict[Any, Any]) -> str:
    """Write a mean and its runs; with an interval only if the setting was not picked for its score."""
    metric = analysis.summary.metric
    mean, low, high, count = (row[f"{metric}_last_{part}"] for part in ("mean", "low", "high", "count"))
    runs = write_count(count, "run") if count == row["runs"] else f"{count} of {row['runs']} runs"
    if analysis.comparisons.folding is not None:
        runs = _folds(analysis.comparisons.folding, count, row["runs"])
    if len(analysis.design.rows) > 1 or low != low:
        return write_metric(metric, mean) + (f" on average over {runs}" if count > 1 else "")
    ends = f"{write_metric(metric, low)} to {write_metric(metric, high)}"
    return f"{write_metric(metric, mean)} on average over {runs} (95% interval {ends})"


def _folds(folding: Folding, count: int, runs: int) -> str:
    """Write how many folds a mean is over, and how often the data was divided."""
    if count < runs or not folding.total or count % folding.total:
        return f"{count} of {runs} runs of {folding} cross-validation"
    often = f", {folding}" if folding.repeats > 1 else ""
    each = f", {count // folding.total} runs each" if count > folding.total else ""
    return f"{folding.total} folds{often}{each}"


def _why_untested(analysis: "Analysis", ranked: list[dict[Any, Any]]) -> str:
    comparisons = analysis.comparisons
    most, unit = comparisons.most_pairs, comparisons.unit
    if not most:
        return f"it shares no {unit} with the others, so they cannot be compared"
    if max(row["runs"] for row in ranked) <= most:
        return f"with {write_count(most, unit)} per setting this may be chance"
    return f"it shares only {write_count(most, unit)} with the others, so this may be chance"


def _next_step(analysis: "Analysis", groups: dict[int, Group]) -> str:
    comparisons, count = analysis.comparisons, Counter(groups.values())
    if len(groups) < 2:
        return ""
    if comparisons.averaged:
        tune = f"--tune {','.join(visible(key) for key in comparisons.averaged)}"
        return f"Leave out --by to compare every setting, or add {tune} to compare each at its best."
    if count["untested"] == len(groups) - 1:
        return (
            f"Train all settings with the same {comparisons.unit}s: {FEWEST} at least, 5 or more if you can."
        )
    undecided = [each for each in comparisons.against_best if groups.get(each.setting) == "undecided"]
    return what_more_would_show(undecided, analysis) if undecided else ""


def _two_kinds(analysis: "Analysis", rows: list[dict[Any, Any]]) -> str:
    """Name the settings where some runs collapsed: their mean describes neither kind."""
    affected = [row for row in rows if row["collapsed"]]
    if not affected or analysis.comparisons.averaged:
        return ""
    metric = analysis.summary.metric
    parts = [
        f"{row['collapsed']} of {row[f'{metric}_last_count']} runs of {row['label']}" for row in affected
    ]
    more = f" (also of {write_count(len(affected) - FEW, 'other setting')})" if affected[FEW:] else ""
    return (
        f"{' and '.join(parts[:FEW])} collapsed{more}, scoring far worse than the others. The mean describes "
        "neither kind. Find out why before you train more."
    )


def _details(analysis: "Analysis") -> list[str]:
    paragraphs = [
        " ".join(_better_than_baseline(analysis)),
        _lost(analysis.comparisons.against_best, analysis.design.labels),
        " ".join(uncertainty_sentences(estimate_uncertainty(analysis.whole or analysis), analysis.summary)),
        " ".join(held_out_results(analysis)),
    ]
    return [paragraph for paragraph in paragraphs if paragraph]


def _baseline(analysis: "Analysis") -> str:
    """Count the verdicts against the baseline, or against the baseline of each setting."""
    pairs = [each for each in analysis.comparisons.against_baseline if each.tested]
    if not pairs:
        return ""
    counts = Counter(each.verdict for each in pairs)
    references = {each.reference for each in pairs}
    of = (
        analysis.design.labels[pairs[0].reference]
        if len(references) == 1
        else "with otherwise equal settings"
    )
    return (
        f"Against the baseline ({of}): {', '.join(f'{n} {verdict}' for verdict, n in counts.most_common())}."
    )


def _better_than_baseline(analysis: "Analysis") -> list[str]:
    comparisons, labels = analysis.comparisons, analysis.design.labels
    better = [each for each in comparisons.against_baseline if each.verdict == "better"]
    return [sentence(each, labels, comparisons) for each in better[:FEW]]


def _lost(pairs: Sequence[Comparison], labels: Sequence[str]) -> str:
    lost = [labels[each.setting] for each in pairs if each.lost]
    if not lost:
        return ""
    return (
        "A seed counts only if both settings completed it, which favours a setting whose runs failed. "
        f"Compared with the best, seeds were lost for {write_names(lost)}."
    )


def _incomplete(rows: list[dict[Any, Any]]) -> str:
    runs = sum(row["runs"] for row in rows)
    counts = {status: sum(row[status] for row in rows) for status in STATUSES[1:]}
    parts = [f"{count} {status}" for status, count in counts.items() if count]
    if runs > 1 and runs in counts.values():
        return f"All {runs} runs {parts[0].partition(' ')[2]}."
    return f"Of {write_count(runs, 'run')}, {' and '.join(parts)}." if parts else ""


def _lowest_value(rows: list[dict[Any, Any]], ranked: list[dict[Any, Any]]) -> str:
    """Say where the paths over a surface end; they do not depend on a seed."""
    ends = [row["val_loss_last_mean"] for row in ranked]
    written = [write_metric("val_loss", end) for end in ends]
    if len(rows) == 1:
        return f"The value of f after the last step is {written[0]}."
    said = f"{ranked[0]['label']} ends lowest: f is {written[0]} after the last step."
    if len(ranked) == 1:
        return said
    higher = write_difference("val_loss", ends[1] - ends[0])
    return f"{said} The next lowest is {ranked[1]['label']}, {higher} higher."


def _lowest_on_the_way(
    rows: list[dict[Any, Any]], ranked: list[dict[Any, Any]], incomplete: str
) -> list[str]:
    said = []
    lowest = min(ranked, key=lambda row: float(row["val_loss_best_mean"]))
    if lowest["val_loss_best_mean"] < ranked[0]["val_loss_last_mean"]:
        best, step = write_metric("val_loss", lowest["val_loss_best_mean"]), int(lowest["best_epoch_min"])
        label = f" with {lowest['label']}" if len(rows) > 1 else ""
        said.append(f"The lowest value on the way was {best}{label}, after step {step}.")
    return [*said, incomplete] if incomplete else said
