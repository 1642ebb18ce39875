"""The short form of a record, small enough for the repository: hashes, last epochs, tables and tests."""

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.golden.compare import columns

MACHINE = "machine.json"
WHOLE = ("table.csv", "comparisons.csv", "ledger.csv", "exit_codes.json")
PROSE = {"sentence", "note", "deviations"}
OF_A_RESULT = ("identity", "status", "last", "best", "epochs_run", "parameters")


def is_short(record: Path) -> bool:
    """Say whether a record is in its short form, a file for each request."""
    return any(path.name != MACHINE for path in record.glob("*.json"))


def shorten(record: Path, out: Path) -> None:
    """Write out/<request>.json for each request of a record."""
    out.mkdir(parents=True, exist_ok=True)
    (out / MACHINE).write_text((record / MACHINE).read_text())
    for request in sorted(path for path in record.iterdir() if path.is_dir()):
        files = sorted(path for path in request.rglob("*") if path.is_file())
        short = {
            str(path.relative_to(request)): value for path in files if (value := _short(path)) is not None
        }
        (out / f"{request.name}.json").write_text(json.dumps(short, indent=1, ensure_ascii=False) + "\n")


def _short(path: Path) -> Any:
    """Return what the short form keeps of a file, None for nothing; prose is left out."""
    text = path.read_text()
    if path.name == "result.json":
        result = json.loads(text)
        return {key: result[key] for key in OF_A_RESULT if key in result}
    if path.name in WHOLE:
        value = json.loads(text) if path.suffix == ".json" else columns(text)
        return {key: item for key, item in value.items() if key not in PROSE}
    if path.parent.name == "report" or path.suffix not in {".csv", ".json"}:
        return None
    return hashlib.sha256(text.encode()).hexdigest()
