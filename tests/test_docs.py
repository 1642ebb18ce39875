"""The documentation's examples do what it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "guide.md"


@pytest.mark.slow
def test_the_guides_components_can_be_registered(tmp_path):
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    components = [block for block in blocks if ".register(" in block]
    assert len(components) > 3
    for index, block in enumerate(components):
        (tmp_path / f"example{index}.py").write_text(block)
    imports = "; ".join(f"import example{index}" for index in range(len(components)))
    done = subprocess.run(
        [sys.executable, "-c", imports], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
