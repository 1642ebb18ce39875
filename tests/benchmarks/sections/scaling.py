"""How the cost of a command grows with runs, widths, samples, epochs and processes; and a model of it."""

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.benchmarks import dlx_runs
from tests.benchmarks.cost_model import TERMS, UNITS, CostModel, Work, fit
from tests.benchmarks.dlx_runs import Command
from tests.benchmarks.measure import Contestant
from tests.benchmarks.opening import number
from tests.benchmarks.section import START_UP, WHOLE, Measured, Section, Setting

STATUS, REPORT = "status", "report"
READ = (100, 1000)  # runs of a point whose study is read afterwards
VAL_SAMPLES = 500
POINTS = (
    Work(runs=1, epochs=50),
    Work(runs=10),
    Work(runs=100),
    Work(runs=1000, epochs=2),
    Work(epochs=100),
    *(Work(width=width, epochs=20) for width in (64, 256, 512)),
    *(Work(samples=samples, width=64, epochs=2) for samples in (5000, 20000, 60000)),
)
SIDE_BY_SIDE = (Work(runs=1000, epochs=2), Work(width=512, epochs=20))

ABOUT = """
`dlx train data=blobs model.width=W seed=range(N)`: blobs of the size of scikit-learn's digits (64 features,
10 classes) with as many samples as asked for, and {val} more for validation; Adam, batch 32, `engine=auto`
with an empty cache. Seconds of whole commands in one process of one thread (1 x 1) or in {processes}
({processes} x 1). `status` and `report` are those commands on the study that is then there.
"""
FORMULA = """
The model is a sum over what a command does, fitted to the points of one process by least squares of the
relative errors ({terms}).
"""


def describe(setting: Setting) -> Section:
    """Return the section."""
    works = _works(setting)
    contestants = {name: _contestant(setting, work, processes) for name, (work, processes) in works.items()}

    def conclude(measured: Measured) -> str:
        seconds = {name: median(measured[name].seconds.get(WHOLE, [0.0])) for name in works}
        return describe_model(works, seconds)

    return Section(
        about=ABOUT.format(val=VAL_SAMPLES, processes=setting.processes),
        contestants=contestants,
        conclude=conclude,
    )


def describe_model(works: Mapping[str, tuple[Work, int]], seconds: Mapping[str, float]) -> str:
    """Return the fitted model and, point by point, what it says beside what was measured, in Markdown."""
    points = {name: work for name, (work, processes) in works.items() if processes == 1 and seconds[name]}
    if len(points) < len(TERMS):
        return "Too few points were measured for a model."
    model = fit(list(points.values()), [seconds[name] for name in points])
    lines = ["| | measured, s | model, s | off by |", "| --- | ---: | ---: | ---: |"]
    for name, work in points.items():
        said = model.predict(work)
        off = 100 * (said / seconds[name] - 1)
        lines.append(f"| {name} | {number(seconds[name])} | {number(said)} | {off:+.0f}% |")
    return FORMULA.format(terms=_terms(model)).strip() + "\n\n" + "\n".join(lines)


def _terms(model: CostModel) -> str:
    each = zip(TERMS, UNITS, model.seconds, strict=True)
    return "; ".join(f"{name}: {number(seconds * unit)}" for name, unit, seconds in each)


def _works(setting: Setting) -> dict[str, tuple[Work, int]]:
    one = {_name(work, 1): (work, 1) for work in POINTS}
    return one | {_name(work, setting.processes): (work, setting.processes) for work in SIDE_BY_SIDE}


def _name(work: Work, processes: int) -> str:
    runs = "1 run" if work.runs == 1 else f"{work.runs} runs"
    return f"{runs}, width {work.width}, {work.samples} samples, {work.epochs} epochs, {processes} x 1"


def _contestant(setting: Setting, work: Work, processes: int) -> Contestant:
    data = (
        "data=blobs",
        f"data.samples={work.samples + VAL_SAMPLES}",
        f"data.classes={work.classes}",
        f"data.features={work.features}",
        f"data.train_size={work.samples}",
        f"data.val_size={VAL_SAMPLES}",
        "data.test_size=null",
    )
    run = (f"model.width={work.width}", f"seed=range({work.runs})", f"epochs={setting.epochs(work.epochs)}")
    command = Command((*data, *run, *setting.layout(processes), "name=study"), work.runs)

    def measure() -> dict[str, float]:
        with TemporaryDirectory() as name:
            folder = Path(name)
            wall = dlx_runs.train_in(folder, command)
            measured = {WHOLE: wall.whole, START_UP: wall.start_up}
            if work.runs in READ and processes == 1:
                for verb in (STATUS, REPORT):
                    measured[verb] = dlx_runs.call(["-m", "dlx", verb, "outputs/study"], folder)
        return measured

    return measure
