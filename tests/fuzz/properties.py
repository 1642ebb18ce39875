"""What is fuzzed: a strategy for the input of a command, and the check that dlx answers it decently.

A check raises Finding, or whatever exception escapes. All work in the current folder.
"""

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import strategies as st

from dlx.errors import RequestError
from tests.fuzz import study, words
from tests.fuzz.answer import Finding, answer, guarded
from tests.fuzz.damage import Change, a_folder, apply, changes, put, removed

CLAIM = """
claim: mine
source: a book
overrides: [data.train_size=40, data.val_size=20, epochs=1, "model.sizes=[4]"]
grid: {optimizer.lr: [0.1, 0.01], batch_size: [20]}
seeds: 2
rounding: 0.0005
figures:
  - {metric: val_accuracy, where: {optimizer.lr: 0.1}, value: 0.5, at: best, width: 0.2}
  - {metric: train_loss, range: [null, 2.0], at: 1, tolerance: 0.1, pick: best}
orders:
  - {metric: val_loss, better: {optimizer.lr: 0.1}, worse: {optimizer.lr: 0.01}}
  - {metric: val_accuracy, equal: [{optimizer.lr: 0.1}, {optimizer.lr: 0.01}], margin: 0.1}
deviations: none
"""
DIR = str(study.STUDY)
Damage = tuple[str, list[Change]]


@dataclass(frozen=True)
class Property:
    """`tests`: examples in the test suite, of which none draws plots; `weight`: the share of a long run."""

    strategy: st.SearchStrategy[Any]
    check: Callable[[Any], object]
    tests: int
    weight: float = 1.0


def _sketch_only(request: Any) -> list[Any]:
    """Build each run, as training does first, and train none."""
    from dlx.study.plan import sketch_runs

    runs = request.runs[:8]
    sketch_runs(runs, range(len(runs)))
    return []


def untrained(*given: str) -> None:
    with mock.patch("dlx.study.training.train_request", _sketch_only):
        answer(*given)


def _check_settings(given: list[str]) -> None:
    untrained("train", *given)


def _check_line(given: list[str]) -> None:
    """Read every verb's own words; no claim is rerun and nothing is fetched, shown again or surveyed."""
    if any(_leads_away(word.rpartition("=")[2]) for word in given):
        return
    with (
        mock.patch("dlx.report.watch.watch_runs", return_value=0),
        mock.patch("dlx.reproduce.rerun.train_request", _stop),
        mock.patch("dlx.report.write.render_page", return_value=("", {})),
    ):
        untrained(*given)


def _leads_away(word: str) -> bool:
    """Say whether a word is a folder elsewhere, which may hold this whole machine."""
    try:
        path = Path(word).expanduser().resolve()
        return path.is_dir() and not path.is_relative_to(Path.cwd())
    except (OSError, ValueError, RuntimeError):
        return False


def _check_options(given: list[str]) -> None:
    if not study.STUDY.exists():
        study.put(study.files())
    with mock.patch("dlx.report.write.render_page", return_value=("", {})):
        answer("report", DIR, *given)


def _stop(request: Any) -> None:
    _sketch_only(request)
    raise RequestError("nothing is trained here")


# --- the user's own YAML

GIVEN = {
    "model": "mlp_bn",
    "optimizer": "sgd",
    "schedule": "step",
    "data": "blobs",
    "sweep": "width",
    "augment": "flip",
}


def _check_yaml(case: tuple[str, list[Change]]) -> None:
    group, made = case
    packaged = words.CONF / ("train.yaml" if group == "train" else f"{group}/{GIVEN[group]}.yaml")
    own = Path("conf", "train.yaml" if group == "train" else f"{group}/mine.yaml")
    own.parent.mkdir(parents=True, exist_ok=True)
    try:
        own.write_bytes(apply(packaged.read_bytes(), made))
        untrained("train", *([] if group == "train" else [f"{group}=mine"]), *words.TINY)
    finally:
        shutil.rmtree("conf")


# --- claims


def _outcomes(request: Any) -> list[Any]:
    """Give the results of other runs instead of training; the fifth has failed."""
    from dlx.run.result import read_result
    from dlx.study.summary import Outcome

    _sketch_only(request)
    folders = [study.STUDY / name for name in study.runs()]
    results = [read_result(folder) for folder in folders]
    return [
        Outcome(run.label, folders[i % 4], results[i % 4] if i != 4 else None, None if i != 4 else "no")
        for i, run in enumerate(request.runs)
    ]


def _check_claim(made: list[Change]) -> None:
    if not study.STUDY.exists():
        study.put(study.files())
    Path("claim.yaml").write_bytes(apply(CLAIM.encode(), made))
    with mock.patch("dlx.reproduce.rerun.train_request", _outcomes):
        answer("reproduce", "claim.yaml")
        answer("reproduce", "claim.yaml", "--trust", "--seeds", "3")


# --- the files of a study


def damages(files: Mapping[str, bytes]) -> st.SearchStrategy[Damage]:
    """Return a strategy for a file of the study and what is changed in it."""
    names = [name for name in files if not name.endswith("/checkpoint.pt")]
    often = [name for name in names if name.endswith(("result.json", "history.csv"))]
    also = [name for name in names if name.endswith((".npz", "evaluations.csv", ".pt", "cohorts.json"))]
    others = st.sampled_from(list(files)).map(lambda name: [lambda _: files[name]])
    lost = st.sampled_from([[removed], [a_folder]])
    name = st.sampled_from(often) | st.sampled_from(also) | st.sampled_from(names)
    return name.flatmap(
        lambda name: st.tuples(st.just(name), st.one_of(*[changes(Path(name).suffix)] * 5, others, lost))
    )


def with_damage(*commands: tuple[str, ...]) -> Callable[[list[Damage]], None]:
    """Return a check that gives these commands a damaged study."""

    def check(given: list[Damage]) -> None:
        for command in commands:
            _damage(given)
            answer(*command)

    return check


def _damage(given: list[Damage], files: Mapping[str, bytes] | None = None) -> None:
    files = files or study.files()
    study.put({**files})
    for name, made in dict(given).items():
        put(study.STUDY / name, apply(files[name], made))


@cache
def _whole_rows() -> Any:
    from dlx.report.load import load_study

    study.put(study.files())
    return load_study([study.STUDY])


def _check_load(given: list[Damage]) -> None:
    """Load and analyse the study; the rows of runs that are not damaged must be what they were."""
    from dlx.report.load import frames_of, load_any, load_study

    before = _whole_rows()
    _damage(given)
    with guarded():
        frames_of(load_any([study.STUDY]))
        after = load_study([study.STUDY])
    for run in set(study.runs()) - {name.partition("/")[0] for name, _ in given}:
        if run in after.left_out and "the same settings" in after.left_out[run]:
            continue  # a forger has made a copy of it
        for named, one, other in (
            ("settings", before.settings[run], after.settings.get(run)),
            (
                "row",
                before.runs.loc[run].to_json(),
                run in after.runs.index and after.runs.loc[run].to_json(),
            ),
        ):
            if one != other:
                raise Finding(f"the {named} of {run} changed: {one} became {other}; {after.left_out}")


def _check_held(given: list[Damage]) -> None:
    """Ask where the runs are while another process seems to train them: they have no result yet."""
    for command in (("status", DIR), ("status", DIR, "--json")):
        _damage(given)
        for run in study.runs():
            with suppress(OSError):
                (study.STUDY / run / "result.json").unlink()
        with mock.patch("dlx.study.held.is_held", return_value=True):
            answer(*command)


def _check_plots(given: list[Damage]) -> None:
    """Write the whole report, but draw nothing: that takes most of its time."""
    with (
        mock.patch("dlx.report.renderer.start", return_value=mock.Mock(call=lambda *_: "<svg/>")),
        mock.patch.multiple("vl_convert", svg_to_png=lambda *_, **__: b"", svg_to_pdf=lambda *_: b""),
    ):
        with_damage(("report", DIR))(given)


def _check_begun(given: list[Damage]) -> None:
    """Report a study that was killed, then go on with it."""
    _damage(given, study.files_begun())
    answer("report", DIR)
    answer("status", DIR)
    answer("train", *study.WORDS)


def _check_table(given: list[Damage]) -> None:
    with mock.patch("dlx.report.write.render_page", return_value=("", {})):
        with_damage(("report", DIR, "--details"))(given)


def _check_grade(given: list[Damage]) -> None:
    """Grade the damaged study as what a student handed in, by a whole copy of it."""
    for name, content in study.files().items():
        path = Path("class/reference") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    figure = "{metric: val_loss, where: {optimizer.lr: 0.1}}"
    Path("class/reference.yaml").write_text(f"assignment: a\nfigures: [{figure}]\n")
    with_damage(("grade", "outputs", "--against", "class/reference.yaml", "--output", "class/grades"))(given)


def _of_study() -> st.SearchStrategy[list[Damage]]:
    return st.deferred(lambda: st.lists(damages(study.files()), min_size=1, max_size=2))


def _begun() -> st.SearchStrategy[list[Damage]]:
    return st.deferred(lambda: st.lists(damages(study.files_begun()), min_size=1, max_size=2))


PROPERTIES = {
    "settings": Property(words.settings, _check_settings, 30, 3),
    "arguments": Property(words.lines, _check_line, 60, 2),
    "options": Property(words.options, _check_options, 20, 2),
    "own YAML": Property(st.tuples(st.sampled_from([*GIVEN, "train"]), changes(".yaml")), _check_yaml, 8, 2),
    "claims": Property(changes(".yaml"), _check_claim, 30),
    "load": Property(_of_study(), _check_load, 40, 2),
    "table": Property(_of_study(), _check_table, 8, 2),
    "page": Property(_of_study(), with_damage(("report", DIR)), 0, 2),
    "plots": Property(_of_study(), _check_plots, 2, 2),
    "held": Property(_of_study(), _check_held, 15),
    "status": Property(_of_study(), with_damage(("status", DIR), ("status", DIR, "--json")), 30),
    "evaluate": Property(
        _of_study(), with_damage(("evaluate", DIR, "--all"), ("evaluate", DIR, "--split", "val")), 10
    ),
    "grade": Property(_of_study(), _check_grade, 10, 2),
    "begun": Property(_begun(), _check_begun, 4),
    "continue": Property(_of_study(), with_damage(("train", *study.WORDS)), 5),
}
