"""Compares the installed packages with published advisories: `python .ci/audit.py`.

pip-audit asks the package index. Where that knows no advisories, as behind a mirror, this says "not audited"
and succeeds: it fails only for a vulnerability that is known.
"""

import json
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

# An environment of its own: what pip-audit needs is not audited, and does not change what is.
TOOLS = Path(sys.prefix) / "tools"


def main() -> int:
    """Audit this interpreter's packages; return 1 if one of them has a known vulnerability."""
    code, said = judged(report())
    print(said)
    return code


def report() -> str:
    """Return pip-audit's report as JSON; "" if it cannot be installed, or finds no index to ask."""
    pip_audit = TOOLS / "bin" / "pip-audit"
    if not pip_audit.is_file():
        _run([sys.executable, "-m", "venv", str(TOOLS)])
        _run([str(TOOLS / "bin" / "pip"), "install", "--quiet", "pip-audit>=2.10"])
    if not pip_audit.is_file():
        return ""
    packages = sysconfig.get_path("purelib")
    return _run([str(pip_audit), "--path", packages, "--format", "json", "--progress-spinner", "off"])


def _run(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603 - our words


def judged(text: str) -> tuple[int, str]:
    """Return the exit code for a report, and what to say."""
    packages = json.loads(text)["dependencies"] if text else []
    known = [package for package in packages if "skip_reason" not in package]
    found = [
        f"{package['name']} {package['version']}: {each['id']}, fixed in {', '.join(each['fix_versions'])}"
        for package in known
        for each in package["vulns"]
    ]
    if found:
        return 1, "\n".join(["known vulnerabilities:", *found])
    if not known:
        return 0, "not audited: no advisories can be reached from here"
    return 0, f"no known vulnerability in the {len(known)} of {len(packages)} packages that could be audited"


if __name__ == "__main__":
    sys.exit(main())
