"""How often verdicts are wrong, and how often they find what is there: `python -m tests.studies.verdicts`.

Simulates studies of several kinds of noise. Among equal settings any verdict is a false finding. Then one
setting is made worse by 3 of its own standard deviations, and its verdicts against all others are counted.
Axes: R studies, C settings, U seeds, M pairs of settings, F choices of signs.
"""

import argparse
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from dlx.stats.tests import holm, paired_tests, resolution

Floats = NDArray[np.float64]
Noise = Callable[[np.random.Generator, int, int], Floats]
DESIGNS = ((2, 3), (2, 5), (2, 10), (4, 3), (4, 5), (4, 10), (8, 3), (8, 5), (8, 8), (8, 10))
WORSE = 3.0  # standard deviations
LEVEL = 0.05


def kinds(settings: int) -> dict[str, Noise]:
    """Return the kinds of noise, each a function that draws [C, U] with about unit variance."""
    linear, geometric = (
        scale[:, None] / math.sqrt((scale**2).mean())
        for scale in (np.linspace(1, 4, settings), np.geomspace(1, 3, settings))
    )
    one = np.r_[np.ones(settings - 1), 8.0]
    one = one[:, None] / math.sqrt((one**2).mean())

    def normal(rng: np.random.Generator, C: int, U: int) -> Floats:
        return rng.standard_normal((C, U))

    def groups(rng: np.random.Generator, C: int, U: int) -> Floats:
        return 0.6 * normal(rng, C, U) + 0.8 * normal(rng, 2, U)[np.arange(C) % 2]

    def beta(rng: np.random.Generator, C: int, U: int) -> Floats:
        return (rng.beta(20, 1, (C, U)) - 20 / 21) / stats.beta(20, 1).std()

    return {
        "normal": normal,
        "deviations 1 to 4": lambda g, C, U: linear * normal(g, C, U),
        "deviations 1 to 3, geometric": lambda g, C, U: geometric * normal(g, C, U),
        "one setting 8 times as noisy": lambda g, C, U: one * normal(g, C, U),
        "deviation by seed": lambda g, C, U: normal(g, C, U) * np.exp(0.5 * normal(g, 1, U) - 0.25),
        "t with 3 degrees of freedom": lambda g, C, U: g.standard_t(3, (C, U)) / math.sqrt(3),
        "exponential": lambda g, C, U: g.exponential(1, (C, U)) - 1,
        "exponential to the left": lambda g, C, U: 1 - g.exponential(1, (C, U)),
        "exponential, deviations 1 to 3": lambda g, C, U: geometric * (1 - g.exponential(1, (C, U))),
        "gamma": lambda g, C, U: (g.gamma(2, 1, (C, U)) - 2) / math.sqrt(2),
        "lognormal": lambda g, C, U: (np.exp(normal(g, C, U)) - math.exp(0.5)) / 2.16,
        "close to 1": beta,
        "uniform": lambda g, C, U: g.uniform(-1, 1, (C, U)) * math.sqrt(3),
        "two values": lambda g, C, U: g.choice([-1, 1], (C, U)) + 0.2 * normal(g, C, U),
        "rounded to half a deviation": lambda g, C, U: np.round(2 * normal(g, C, U)) / 2,
        "rounded to a deviation": lambda g, C, U: np.round(normal(g, C, U)),
        "rounded, deviations 1 to 3": lambda g, C, U: np.round(geometric * normal(g, C, U)),
        "seeds in common": lambda g, C, U: 0.6 * normal(g, C, U) + 0.8 * normal(g, 1, U),
        "two groups in common": groups,
        "one value in ten 5 times as far": lambda g, C, U: (
            normal(g, C, U) * np.where(g.random((C, U)) < 0.1, 5, 1) / math.sqrt(3.4)
        ),
    }


COLLAPSING: dict[str, Noise] = {
    "one run in ten collapses": lambda g, C, U: (
        0.3 * g.standard_normal((C, U)) - 3 * (g.random((C, U)) < 0.1)
    ),
    "half the settings collapse, means equal": lambda g, C, U: (
        0.3 * g.standard_normal((C, U))
        - (np.arange(C) % 2 == 0)[:, None] * (3 * (g.random((C, U)) < 0.15) - 0.45)
    ),
    "exponential to the left, deviations 1 to 7": lambda g, C, U: (
        np.geomspace(1, 7, C)[:, None] * (1 - g.exponential(1, (C, U)))
    ),
}


def real_kinds(folders: list[Path]) -> dict[str, Noise]:
    """Return noise drawn from studies of many seeds: random settings and seeds, each setting centred."""
    return {
        f"{folder.name}{', scaled' if scaled else ''}": _real(_scores(folder), scaled=scaled)
        for folder in folders
        for scaled in (False, True)
    }


def _scores(folder: Path) -> Floats:
    by_setting: dict[str, dict[int, float]] = {}
    for path in folder.glob("*/result.json"):
        result = json.loads(path.read_text())
        config = result["config"]
        setting = json.dumps([config["model"], config["optimizer"], config["augment"]])
        by_setting.setdefault(setting, {})[config["seed"]] = result["last"]["val_accuracy"]
    seeds = sorted(set.intersection(*(set(scores) for scores in by_setting.values())))
    return np.array([[scores[seed] for seed in seeds] for scores in by_setting.values()])


def _real(scores: Floats, *, scaled: bool) -> Noise:
    centred = scores - scores.mean(axis=1, keepdims=True)
    centred /= centred.std(axis=1, keepdims=True) if scaled else math.sqrt((centred**2).mean())

    def draw(rng: np.random.Generator, C: int, U: int) -> Floats:
        rows, columns = (
            rng.permutation(size)[:some] for size, some in zip(centred.shape, (C, U), strict=True)
        )
        return np.asarray(centred[np.ix_(rows, columns)])

    return draw


# --- methods: adjusted p values of all pairs [M]


def moderated(values_CU: Floats) -> Floats:
    """Return what the report uses."""
    differences_MU = _pairs(values_CU)
    return holm(paired_tests(differences_MU, len(values_CU), resolution=resolution(values_CU.ravel())).p_M)


def sign_flips(values_CU: Floats) -> Floats:
    """Return what the report used before: sign flips of each pair, Holm's correction."""
    differences_MU = _pairs(values_CU)
    sums_MF = np.abs(differences_MU @ _signs(values_CU.shape[1]))
    return holm((sums_MF >= sums_MF[:, :1] - 1e-9).mean(axis=1))


def joint_sign_flips(values_CU: Floats) -> Floats:
    """Return joint flips, one sign a seed for all pairs: step-down maxima of moderated t statistics."""
    differences_MU = _pairs(values_CU)
    units = values_CU.shape[1]
    mean_MF = differences_MU @ _signs(units) / units
    square_M = (differences_MU**2).mean(axis=1, keepdims=True)
    variance_MF = np.maximum(square_M - mean_MF**2, 0) * units / (units - 1)
    typical = float(np.median(square_M))
    t_MF = np.abs(mean_MF) / np.sqrt((4 * typical + (units - 1) * variance_MF) / (units + 3) + 1e-12)
    order = np.argsort(-t_MF[:, 0])
    above_MF = np.maximum.accumulate(t_MF[order][::-1], axis=0)[::-1]
    p_M = np.maximum.accumulate((above_MF >= above_MF[:, :1] - 1e-9).mean(axis=1))
    adjusted_M = np.empty_like(p_M)
    adjusted_M[order] = p_M
    return adjusted_M


def tukey(values_CU: Floats) -> Floats:
    """Return Tukey's range test on blocks: 0 where significant, else 1."""
    settings, units = values_CU.shape
    rest = values_CU - values_CU.mean(1, keepdims=True) - values_CU.mean(0) + values_CU.mean()
    freedom = (settings - 1) * (units - 1)
    error = math.sqrt((rest**2).sum() / freedom / units)
    range_M = np.abs(_pairs(values_CU).mean(axis=1)) / max(error, 1e-12)
    return np.where(range_M > _range_quantile(settings, freedom), 0.0, 1.0)


_quantiles: dict[tuple[int, int], float] = {}


def _range_quantile(settings: int, freedom: int) -> float:
    key = settings, freedom
    if key not in _quantiles:
        _quantiles[key] = float(stats.studentized_range.isf(LEVEL, settings, freedom))
    return _quantiles[key]


def _pairs(values_CU: Floats) -> Floats:
    first_M, second_M = np.triu_indices(len(values_CU), 1)
    return np.asarray(values_CU[first_M] - values_CU[second_M])


def _signs(units: int) -> Floats:
    """Return all choices of signs [U, F], up to the sign of the whole, the observed one first."""
    return 1.0 - 2.0 * ((np.arange(2 ** (units - 1)) >> np.arange(units)[:, None]) & 1)


METHODS: dict[str, Callable[[Floats], Floats]] = {
    "moderated t": moderated,
    "sign flips": sign_flips,
    "joint flips": joint_sign_flips,
    "Tukey": tukey,
}


def measure(
    noise: Noise, settings: int, units: int, studies: int, seed: int
) -> dict[str, tuple[float, float]]:
    """Return for each method the share of studies with a false finding, and the share of true ones found."""
    rng = np.random.default_rng([seed, settings, units])
    deviation_C = np.stack([noise(rng, settings, units) for _ in range(400)]).std(axis=(0, 2))
    first_M, second_M = np.triu_indices(settings, 1)
    counts = {name: [0.0, 0.0] for name in METHODS}
    for index in range(studies):
        values_CU, worse = noise(rng, settings, units), index % settings
        planted_CU = values_CU.copy()
        planted_CU[worse] -= WORSE * deviation_C[worse]
        true_M = (first_M == worse) | (second_M == worse)
        for name, method in METHODS.items():
            counts[name][0] += (method(values_CU) <= LEVEL).any() / studies
            counts[name][1] += (method(planted_CU) <= LEVEL)[true_M].mean() / studies
    return {name: (false, found) for name, (false, found) in counts.items()}


def rows(designs: Any, studies: int, real: dict[str, Noise]) -> Iterator[str]:
    """Yield the rows of a Markdown table: for each design and method false findings, and what is found."""
    yield "| settings, seeds | method | false, mean | worst kind | found, mean | collapsing kinds, false |"
    yield "|---|---|---|---|---|---|"
    for settings, units in designs:
        usual = kinds(settings) | real
        found = {
            name: measure(noise, settings, units, studies, seed)
            for seed, (name, noise) in enumerate((usual | COLLAPSING).items())
        }
        for method in METHODS:
            false = {kind: found[kind][method][0] for kind in usual}
            worst = max(false, key=false.__getitem__)
            power = np.mean([found[kind][method][1] for kind in usual])
            bad = ", ".join(f"{found[kind][method][0]:.3f}" for kind in COLLAPSING)
            yield (
                f"| {settings}, {units} | {method} | {np.mean(list(false.values())):.3f} "
                f"| {false[worst]:.3f} ({worst}) | {power:.2f} | {bad} |"
            )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.studies.verdicts", description=__doc__)
    parser.add_argument("--studies", type=int, default=2000, help="simulated studies of each kind")
    parser.add_argument("--real", type=Path, nargs="*", default=[], help="folders of trained studies")
    given = parser.parse_args()
    for row in rows(DESIGNS, given.studies, real_kinds(given.real)):
        print(row, flush=True)


if __name__ == "__main__":
    main()
