"""The notebooks in docs/notebooks/ run from top to bottom, and show what they say."""

from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).resolve().parents[1] / "docs" / "notebooks"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_first_comparison_runs(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOKS.parents[1]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    (file,) = NOTEBOOKS.glob("*.ipynb")
    notebook = nbformat.read(file, 4)
    where = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    shown = [
        output["data"]
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "execute_result"
    ]
    training = next(cell for cell in notebook.cells if "dlx.train(" in cell.source)
    (trained,) = training.outputs
    assert trained["data"]["text/plain"].count("completed") == 12, "the summary alone is kept"
    assert "\N{BOX DRAWINGS HEAVY HORIZONTAL}" not in trained["data"]["text/plain"], "no bar is left"
    report, *frames, chart, guesses, scores = shown
    assert "data:image/svg+xml" in report["text/html"]
    assert report["text/html"].count("<tr") == 1 + 4, "a heading and four settings"
    assert all("<table" in frame["text/html"] for frame in (*frames, scores))
    assert "vega" in chart["text/html"]
    assert guesses["text/plain"] == "['0', '1', '2', '3', '4', '5', '6', '7']"
    assert (tmp_path / "outputs" / "first" / "report" / "index.html").is_file()
