"""Strategies for the words of a command line, with the grammar and the keys of `dlx train` in mind."""

from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from dlx.cli import VERBS
from tests.fuzz.damage import ODD, odd_text

CONF = Path(__file__).resolve().parents[2] / "conf"
# No data sets of thousands of samples: what is fuzzed is the reading of words.
TINY = ["data.train_size=40", "data.val_size=20", "epochs=1"]
LARGE = ("mnist", "fashion_mnist", "cifar10", "image_folder", "npz")


def _keys() -> dict[str, Any]:
    """Return the keys of the configuration, each with a value that is one of its own."""
    found: dict[str, Any] = {}

    def add(prefix: str, values: dict[str, Any]) -> None:
        for key, value in values.items():
            if isinstance(value, dict) and value:
                add(f"{prefix}{key}.", value)
            else:
                found[f"{prefix}{key}"] = value

    for file in sorted(CONF.rglob("*.yaml")):
        group = file.parent.name
        if group != "sweep":
            values = yaml.safe_load(file.read_text()) or {}
            values.pop("defaults", None)
            add(
                ""
                if file.parent == CONF or (group == "data" and "@package" in file.read_text())
                else f"{group}.",
                values,
            )
    return found


KEYS = _keys()
GROUPS = {
    folder.name: sorted(file.stem for file in folder.glob("*.yaml"))
    for folder in CONF.iterdir()
    if folder.is_dir()
}
CHOICES = sorted({choice for choices in GROUPS.values() for choice in choices})
NAMES = [
    "relu",
    "batch",
    "layer",
    "cpu",
    "cuda",
    "auto",
    "none",
    "best",
    "last",
    "val_loss",
    "float64",
    "orthogonal",
]

misspelt = st.builds(
    lambda key, at, new: key[: int(at * len(key))] + new + key[int(at * len(key)) + 1 :],
    st.sampled_from([*KEYS, *GROUPS]),
    st.floats(0, 1),
    st.text(max_size=2),
)
key = st.one_of(
    st.sampled_from(list(KEYS)),
    st.sampled_from(list(KEYS)),
    st.sampled_from(list(GROUPS)),
    st.sampled_from(
        ["hydra.run.dir", "hydra.searchpath", "hydra/launcher", "hydra", "sweep@_global_", "model@x"]
    ),
    misspelt,
    odd_text,
)
sizes = st.sampled_from([0, 1, 2, 3, 7, 16, 64, 1000, 10**6, 10**9, 10**12, 10**18, 2**63, 2**64, 10**40])
single = st.one_of(
    st.integers(-2, 20).map(str),
    st.builds(lambda size, sign: str(sign * size), sizes, st.sampled_from([1, 1, -1])),
    st.floats(0, 1).map(repr),
    st.floats().map(repr),
    st.sampled_from([*CHOICES, *NAMES, "true", "false", "null", "10", "30s", "normal:0.02", "normal:inf"]),
    odd_text,
    st.sampled_from([f"${{{key}}}" for key in KEYS]),
    st.sampled_from(
        ["${", "${}", "${oc.env:HOME}", "${oc.env:NO}", "${seed}${seed}", "$HOME", "${..x}", "${a:b}"]
    ),
)
quoted = st.builds(lambda text, mark: f"{mark}{text}{mark}", single, st.sampled_from(["'", '"', "`"]))
FUNCTIONS = [
    "range",
    "choice",
    "glob",
    "sort",
    "shuffle",
    "interval",
    "tag",
    "int",
    "float",
    "str",
    "bool",
    "json_str",
]
arguments = st.lists(
    single
    | st.builds("{}={}".format, st.sampled_from(["reverse", "step", "exclude", "start", "stop"]), single),
    max_size=4,
).map(",".join)


def _wider(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    joined = st.lists(inner, max_size=4).map(",".join)
    return st.one_of(
        joined,
        joined.map("[{}]".format),
        st.builds("{}({})".format, st.sampled_from(FUNCTIONS), joined | arguments),
        st.lists(st.builds("{}:{}".format, single, inner), max_size=3).map(
            lambda pairs: f"{{{','.join(pairs)}}}"
        ),
    )


value = st.recursive(single | quoted, _wider, max_leaves=6)


def _like(known: Any) -> st.SearchStrategy[str]:
    """Return values like a key's own, so that the words get as far as the building of runs."""
    if isinstance(known, bool):
        return st.sampled_from(["true", "false"])
    if isinstance(known, int | float):
        return st.sampled_from(
            ["0", "1", "2", "3", "5", "8", "0.5", "0.1", "0.9", "1e-3", "17", "100"]
        ) | sizes.map(str)
    return st.sampled_from([*NAMES, "null", "[]", "[4]", "[4,4]", "[1,2,3]"]) | single


setting = st.one_of(
    st.builds("{}{}={}".format, st.sampled_from(["", "", "", "+", "++", "~"]), key, value),
    st.sampled_from(list(KEYS)).flatmap(
        lambda one: st.builds(
            "{}={}".format, st.just(one), st.lists(_like(KEYS[one]), min_size=1, max_size=3).map(",".join)
        )
    ),
    st.sampled_from(list(GROUPS)).flatmap(
        lambda group: st.builds(
            "{}={}".format, st.just(group), st.sampled_from([c for c in GROUPS[group] if c not in LARGE])
        )
    ),
    st.sampled_from(list(GROUPS)).map("~{}".format),
)
unswept = st.sampled_from(list(KEYS)).flatmap(
    lambda one: st.builds("{}={}".format, st.just(one), _like(KEYS[one]))
)
junk = odd_text | st.text(alphabet="=,[]{}()'\"\\$:@~+./ \tab01-", max_size=15)
settings = st.one_of(
    st.lists(setting, max_size=4, unique_by=lambda word: word.partition("=")[0].lstrip("+~")),
    st.lists(setting | unswept, max_size=5, unique_by=lambda word: word.partition("=")[0].lstrip("+~")),
    st.lists(setting | junk, max_size=4),
    st.lists(junk, max_size=3),
).map(lambda words: [*(word for word in TINY if not _sets(words, word)), *words])


def _sets(words: list[str], tiny: str) -> bool:
    key = tiny.partition("=")[0]
    return any(word.lstrip("+~").partition("=")[0] == key for word in words)


FLAGS = [
    *(
        "--help",
        "-h",
        "--version",
        "--watch",
        "--details",
        "--export",
        "--output",
        "--by",
        "--tune",
        "--baseline",
    ),
    *(
        "--metric",
        "--margin",
        "--all",
        "--json",
        "--split",
        "--target",
        "--list",
        "--seeds",
        "--trust",
        "--cfg",
        "-c",
    ),
    *(
        "--package",
        "--resolve",
        "--info",
        "-i",
        "--config-dir",
        "--config-name",
        "-cn",
        "-cd",
        "--multirun",
        "-m",
    ),
    *("--", "-", "---", "-x", "--no", "--tolerance", "--samples", "--root"),
]
argument = st.one_of(
    st.sampled_from(FLAGS),
    st.builds("{}={}".format, st.sampled_from(FLAGS), single),
    st.sampled_from(
        ["job", "hydra", "all", "val_loss", "test", "val", "digits", "blobs", "model", "model.width", "lr"]
    ),
    st.sampled_from(["outputs", "outputs/study", ".", "~nobody", "/dev/null", "missing", "conf"]),
    single,
    setting,
    junk,
)
# What a report of the study can be asked for.
asked_key = st.one_of(
    st.sampled_from(["optimizer.lr", "lr", "seed", "optimizer", "model", "model.sizes", "data", "epochs"]),
    key,
)
asked_value = st.sampled_from(["0.1", "0.01", "0", "1", "adam", "mlp", "[4]", ".1", "1e-1"]) | single
asked_keys = st.lists(asked_key, max_size=3).map(",".join)
asked_setting = st.lists(st.builds("{}={}".format, asked_key, asked_value), max_size=3).map(",".join)
options = st.lists(
    st.one_of(
        st.builds("--by={}".format, asked_keys),
        st.builds("--tune={}".format, asked_keys),
        st.builds("--baseline={}".format, asked_setting | junk),
        st.builds("--metric={}".format, st.sampled_from(["val_loss", "train_accuracy", "val_accuracy"])),
        st.builds("--margin={}".format, st.floats().map(repr) | sizes.map(str)),
        st.just("--details"),
    ),
    min_size=1,
    max_size=4,
)
VERB = st.sampled_from([*VERBS, *VERBS, *VERBS, "help", "version", "trian", ""])
lines = st.builds(lambda verb, words: [verb, *words], VERB, st.lists(argument, max_size=4))
odd = st.sampled_from(ODD)
