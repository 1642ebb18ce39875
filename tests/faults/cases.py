"""The commands that are disturbed: each writes other files of dlx's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

Contents = Mapping[str, object]
BLOBS = ["data=blobs", "data.samples=100", "epochs=2", "model.width=4", "name=s", "keep=best"]
TRAIN = ["train", *BLOBS, "seed=0,1", "probes.layers=true"]
REPORT = ["report", "outputs/s"]
LOOKS = "evaluations.csv"  # a look that was recorded counts even if nobody saw it


def images(folder: Path) -> None:
    """Make a folder of images in two classes."""
    from PIL import Image

    for number in range(40):
        path = folder / "images" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 6 * number).save(path)


def nothing_torn(before: Contents, now: Contents, after: Contents) -> list[str]:
    """Every file that is there holds what it held before, or what it holds in the end; hidden ones apart."""
    wrong = [f"{name} is gone" for name in before.keys() - now.keys() if name in after]
    for name, content in now.items():
        hidden = any(part.startswith(".") and part not in (".study", ".hydra") for part in name.split("/"))
        hidden |= name.endswith(".part")
        if not hidden and content not in (before.get(name), after.get(name)):
            wrong.append(f"{name} is neither as before nor as in the end")
    return wrong


def finished_runs_whole(before: Contents, now: Contents, after: Contents) -> list[str]:
    """Every file of a run that has a result holds what it holds in the end."""
    finished = [name.removesuffix("result.json") for name in now if name.endswith("result.json")]
    return [
        f"{name} is damaged in a finished run"
        for run in finished
        for name in after
        if name.startswith(run) and now.get(name) != after[name]
    ]


@dataclass(frozen=True)
class Case:
    """A command, those that came before it, and what must hold whenever it is stopped."""

    name: str
    words: list[str]
    earlier: tuple[list[str], ...] = ()
    torn: Callable[[Contents, Contents, Contents], list[str]] = nothing_torn
    made: Callable[[Path], None] = lambda _: None  # what it works on, in the current folder
    grows: str = "nothing"  # the name of a file that may hold more when the command has been given twice

    def simplify(self) -> None:
        """Take what writes no file out of the command, as it would take most of the time: drawing."""
        if self.words[0] != "report":
            return
        import vl_convert

        from dlx.report import renderer

        vl_convert.javascript_bundle = lambda *_: "the libraries"
        vl_convert.svg_to_png = vl_convert.svg_to_pdf = lambda *_, **__: b"drawn"
        undrawn = mock.Mock(call=lambda *_: "<svg></svg>")
        renderer.start = lambda: undrawn


CASES = [
    Case("report", REPORT, (TRAIN,)),
    Case("report_again", [*REPORT, "--metric", "val_loss"], (TRAIN, REPORT)),
    Case("report_tensorboard", [*REPORT, "--export=tensorboard"], (TRAIN, [*REPORT, "--export=tensorboard"])),
    Case("evaluate", ["evaluate", "outputs/s", "--all"], (TRAIN,), grows=LOOKS),
    Case("evaluate_again", ["evaluate", "outputs/s"], (TRAIN, ["evaluate", "outputs/s"]), grows=LOOKS),
    Case("images", ["data", "prepare", "image_folder", "data.path=images", "data.root=."], made=images),
    Case("reproduce", ["reproduce", "surface_step_size"], torn=finished_runs_whole),
    Case("train_stacked", [*TRAIN, "engine=stacked"], torn=finished_runs_whole),
    Case("train_loop", [*TRAIN, "engine=loop"], torn=finished_runs_whole),
]
