"""A report in headless Chromium: a study with hostile names, opened from its file."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dlx.commands.report import main

HOSTILE = "<img src=x onerror=document.title='run'>\"'\n\u202eرت 🦆 =cmd|x</script>"
SHOWN = HOSTILE.replace("\n", "\\n").replace("\u202e", "\\u202e")
SIZES = {"phone": (390, 844), "tablet": (820, 1180), "desktop": (1440, 900)}
Open = Callable[..., Any]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Return the system's Chromium, started once."""
    playwright = pytest.importorskip("playwright.sync_api")
    found = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    path = next(filter(None, found), None)
    if path is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def report(builder: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Report twelve settings of two seeds, one with HTML in its name."""
    study = builder(tmp_path_factory.mktemp("outputs") / "page <b>")
    for index in range(10):
        for seed in range(2):
            changes = {"optimizer.lr": 10.0 ** -(index % 5), "model.width": 8 * (1 + index // 5)}
            end = 0.9 - index / 50 + seed / 100
            study.run(f"run{index}-{seed}", study.curve(0.4, 0.6, end), changes, seed=seed)
    changes = {"model.norm": HOSTILE, "optimizer.lr": 1.0, "model.width": 8}
    study.run(HOSTILE.replace("/", ""), study.curve(0.3, 0.95), changes, error=HOSTILE)
    study.run("lost", study.curve(0.3, 0.2), {"optimizer.lr": 2.0, "model.width": 8}, status="diverged")
    for folder in study.folder.iterdir():
        (folder / ".hydra" / "overrides.yaml").write_text(
            f"- name=study\n- optimizer.lr={len(folder.name)}\n"
        )
    assert main([str(study.folder)]) == 0
    return study.folder / "report" / "index.html"


@pytest.fixture(scope="session")
def eight(builder: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Report eight settings of five seeds: one is best, one may be as good, six are worse."""
    study = builder(tmp_path_factory.mktemp("outputs") / "eight")
    for index, end in enumerate((0.9, 0.899, 0.85, 0.8, 0.75, 0.7, 0.6, 0.4)):
        changes = {"optimizer.lr": 10.0 ** -(index % 4), "optimizer.name": ("adam", "sgd")[index // 4]}
        for seed in range(5):
            luck = (7 * seed + 3 * index) % 5 / 200
            study.run(f"run{index}-{seed}", study.curve(0.3, 0.35, end + luck), changes, seed=seed)
    assert main([str(study.folder)]) == 0
    return study.folder / "report" / "index.html"


@pytest.fixture
def visit(chromium: Any, report: Path) -> Iterator[Open]:
    """Return a function that opens a report; whatever the page says or asks for fails the test."""
    contexts, said = [], []

    def visit(
        size: str = "desktop", scheme: str = "light", file: Path = report, anchor: str = "", **options: Any
    ) -> Any:
        width, height = SIZES[size]
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url) if request.url != file.as_uri() else None)
        page.goto(file.as_uri() + anchor)
        if options.get("java_script_enabled", True):
            page.wait_for_selector("html[data-ready]")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert said == []
