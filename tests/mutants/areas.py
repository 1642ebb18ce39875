"""The three areas that are tried: the files whose mutants are drawn, and the tests that may kill them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Area:
    """`sources` and `tests`: glob patterns, relative to the repository."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]


AREAS = {
    "stats": Area(  # the tests, and what turns their numbers into verdicts
        sources=(
            "dlx/stats/*.py",
            "dlx/report/comparison.py",
            "dlx/report/comparison_text.py",
            "dlx/report/effects.py",
            "dlx/report/tuning.py",
            "dlx/report/uncertainty.py",
            "dlx/reproduce/judgement.py",
        ),
        tests=(
            "tests/stats/test_*.py",
            "tests/report/test_answer.py",
            "tests/report/test_comparison.py",
            "tests/report/test_effects.py",
            "tests/report/test_tuning.py",
            "tests/report/test_uncertainty.py",
            "tests/reproduce/test_judgement.py",
        ),
    ),
    "engine": Area(
        sources=("dlx/engine/*.py",),
        tests=(
            "tests/engine/test_*.py",
            "tests/test_stacked.py",
            "tests/test_probes.py",
            "tests/commands/test_evaluate.py",
        ),
    ),
    "run": Area(  # the files of a run, and what a study records of its runs
        sources=(
            "dlx/run/*.py",
            "dlx/study/changes.py",
            "dlx/study/held.py",
            "dlx/study/lock.py",
            "dlx/study/looks.py",
            "dlx/study/source.py",
            "dlx/study/state.py",
            "dlx/study/training.py",
        ),
        tests=(
            "tests/run/test_*.py",
            "tests/study/test_afterwards.py",
            "tests/study/test_changes.py",
            "tests/study/test_ended.py",
            "tests/study/test_held.py",
            "tests/study/test_lock.py",
            "tests/study/test_looks.py",
            "tests/study/test_resume.py",
            "tests/study/test_source.py",
            "tests/study/test_state.py",
            "tests/study/test_training.py",
            "tests/test_folds.py",
        ),
    ),
}
