"""The import rules: arrows point downwards, rooms do not know each other, heavy packages load late."""

import ast
import functools
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import dlx

PACKAGE = Path(dlx.__file__).parent
MODULES = {
    ".".join(["dlx", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

# The folder of surfaces holds a part of several rooms; its plot is one of the report's.
SHARES = {"dlx.surface.plot": "dlx.report"}

# From the top to the bottom; rooms in one line must not import each other.
LAYERS = [
    ["dlx.__main__"],
    ["dlx.cli"],
    ["dlx.crash"],
    ["dlx.commands"],
    ["dlx.grade"],
    ["dlx.reproduce"],
    ["dlx.api"],
    ["dlx.results"],
    ["dlx.scoring", "dlx.report"],
    ["dlx.importers"],
    ["dlx.study"],
    ["dlx.compose"],
    ["dlx.completion"],
    ["dlx.compose.folder"],
    ["dlx.build", "dlx.components"],
    ["dlx.preflight"],
    ["dlx.project"],
    ["dlx.engine"],
    ["dlx.metrics", "dlx.surface.descent"],
    ["dlx.data", "dlx.augment", "dlx.model", "dlx.optimizer", "dlx.loss", "dlx.execution"],
    ["dlx.launchers"],
    ["dlx.config", "dlx.rng", "dlx.device", "dlx.own"],
    ["dlx.registry", "dlx.run", "dlx.surface.terrain"],
    ["dlx.surface", "dlx.stats"],
    ["dlx.validation"],
    ["dlx.metrics.catalogue"],
    ["dlx.errors", "dlx.signals", "dlx.streams", "dlx.working"],
    ["dlx"],
]

# What the package itself offers, imported when it is first used: `dlx.load` and others.
OFFERED = {"dlx": ["dlx.api"]}

# What takes longer to import than a command that trains nothing may take.
HEAVY = ["torch", "torch._dynamo", "numpy", "pandas", "scipy"]
QUICK = "epochs=1 data.train_size=100 data.val_size=50 model.width=4"
WRONG = [
    "trian",
    "train --verison",
    "train epoch=3",
    "train epochs=0",
    "train epochs=",
    "train optimizer=adm",
    "train optimizer.lr=fast",
    "train model.norm=bacth",
    "train model.name=nosuch",
    "train model.init=nosuch",
    "train model=lenet model.pool=mean",
    "train optimizer=sgd optimizer.momentum=1",
    "train schedule=cosine schedule.final=2",
    "train loss.reduction=max",
    "train data=npz data.path=nowhere.npz",
    "train data=blobs data.classes=1",
    "train data=surface 'loss.function=x**'",
    "train augment.noise=-1",
    "train +augment.nosuch=1",
    "train device=cude",
    "train engine=stackd",
    "train seed=0,1 model.norm=none,bacth",
    "train name=../x",
    "train launcher=jolib",
    "check model.norm=bacth",
    "status nowhere",
    "report nowhere",
    "report --colour",
    "evaluate nowhere",
    "grade nowhere --against reference.yaml",
    "reproduce nosuch",
    "data prepare fashion",
]

# Imported inside the functions that use them, so that nobody else pays.
LATE = {
    "torchvision",
    "sklearn",
    "PIL",
    "pooch",
    "filelock",
    "contourpy",
    "tensorboard",
    "wandb",
    "docx",
    "openpyxl",
}
WITHOUT_TORCH = [
    "dlx.cli",
    "dlx.commands",
    "dlx.scoring",
    "dlx.compose",
    "dlx.study",
    "dlx.report",
    "dlx.importers",
    "dlx.grade",
    "dlx.reproduce",
]
WITHOUT_TORCH += [
    "dlx.components",
    "dlx.config",
    "dlx.own",
    "dlx.registry",
    "dlx.errors",
    "dlx.validation",
    "dlx.__main__",
    "dlx.surface.formula",
    "dlx.surface.terrain",
    "dlx.surface.plot",
    "dlx.data.source",
    "dlx.stats",
    "dlx.metrics.catalogue",
]
WITHOUT_TORCH += ["dlx.run.paths", "dlx.run.history", "dlx.run.result", "dlx.run.identity", "dlx.run.units"]
WITHOUT_TORCH += ["dlx.run.predictions", "dlx.run.probes", "dlx.run.formats"]
WITHOUT_TORCH += ["dlx.run.files", "dlx.run.documents", "dlx.run.arrays", "dlx.run.evaluations"]


@functools.cache
def imports(path, at_module_level=False):
    """The dotted names a file imports; those under `if TYPE_CHECKING` do not count."""
    return list(_imports(path, at_module_level))


def _imports(path, at_module_level):
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    nodes = tree.body if at_module_level else ast.walk(tree)
    for node in nodes:
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else node.module


def inside(module, room):
    return module == room or module.startswith(f"{room}.")


def layer_of(module):
    """The row and the room of a module: the longest name in LAYERS that it lies in."""
    module = SHARES.get(module, module)
    found = [(row, room) for row, rooms in enumerate(LAYERS) for room in rooms if inside(module, room)]
    return max(found, key=lambda pair: len(pair[1]))


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_downwards_and_rooms_do_not_know_each_other(module):
    row, room = layer_of(module)
    for name in imports(MODULES[module]):
        if not inside(name, "dlx") or name in OFFERED.get(module, []):
            continue
        other_row, other_room = layer_of(name)
        allowed = other_room == room or other_row > row
        assert allowed, f"{module} ({room}) imports {name} ({other_room})"


@pytest.mark.parametrize("module", [m for m in MODULES if inside(SHARES.get(m, m), "dlx.report")])
def test_the_report_knows_only_the_files_of_runs(module):
    allowed = [
        "dlx.report",
        "dlx.importers",
        "dlx.metrics.catalogue",
        "dlx.run.paths",
        "dlx.run.history",
        "dlx.run.result",
        "dlx.run.folds",
        "dlx.run.identity",
        "dlx.run.units",
        "dlx.surface.formula",
        "dlx.surface.terrain",
        "dlx.surface.plot",
        "dlx.run.predictions",
        "dlx.run.probes",
        "dlx.run.formats",
        "dlx.run.files",
        "dlx.run.documents",
        "dlx.run.evaluations",
        "dlx.study.study",
        "dlx.stats",
        "dlx.errors",
        "dlx.signals",
        "dlx.working",
    ]
    for name in imports(MODULES[module]):
        if inside(name, "dlx"):
            assert name == "dlx" or any(inside(name, room) for room in allowed), f"{module} imports {name}"


@pytest.mark.parametrize("module", MODULES)
def test_heavy_packages_are_imported_only_where_they_are_used(module):
    top = {name.split(".")[0] for name in imports(MODULES[module], at_module_level=True)}
    assert not top & LATE
    if any(inside(module, room) for room in WITHOUT_TORCH):
        assert "torch" not in top
    if module in ("dlx.cli", "dlx.errors"):
        assert not top - {
            "dlx",
            "argparse",
            "gc",
            "os",
            "sys",
            "collections",
            "difflib",
            "errno",
            "importlib",
            "re",
        }


def imported(tmp_path, *commands):
    """The exit codes of commands that one new process runs, and which heavy packages it has imported."""
    code = (
        "import json, sys\n"
        "from dlx.cli import main\n"
        "codes = [main(words) for words in json.loads(sys.argv[1])]\n"
        f"print(json.dumps([codes, [name for name in {HEAVY} if name in sys.modules]]))\n"
    )
    lines = [shlex.split(command) for command in commands]
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(lines)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_runs_train_without_torchs_compiler_and_finished_ones_are_found_without_torch(tmp_path):
    grid = f"train {QUICK} optimizer.lr=0.1,0.2"
    assert imported(tmp_path, grid) == [[0], ["torch", "numpy"]]
    assert imported(tmp_path, grid, f"train {QUICK} optimizer.lr=0.1", "status") == [[0, 0, 0], []]


def test_a_wrong_word_is_answered_without_torch(tmp_path):
    codes, packages = imported(tmp_path, *WRONG)
    assert codes == [2] * len(WRONG)
    assert "torch" not in packages


def test_what_the_package_offers_is_imported_when_it_is_used():
    at_once = set(imports(MODULES["dlx"], at_module_level=True))
    assert not at_once & set(MODULES)
    assert set(imports(MODULES["dlx"])) >= set(OFFERED["dlx"])


def test_there_are_no_import_cycles():
    graph = {m: {n for n in imports(p, at_module_level=True) if n in MODULES} for m, p in MODULES.items()}
    done = set()

    def visit(module, path):
        assert module not in path, f"a cycle: {' -> '.join([*path, module])}"
        if module not in done:
            for other in graph[module] - {module}:
                visit(other, [*path, module])
            done.add(module)

    for module in graph:
        visit(module, [])
