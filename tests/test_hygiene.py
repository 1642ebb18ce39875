"""The packages of CI: locked as pyproject.toml asks for them, from nowhere in particular, and audited."""

import importlib.util
import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import dlx

ROOT = Path(__file__).parents[1]
LOCK = ROOT / ".ci" / "requirements.txt"


def locked() -> dict[str, set[str]]:
    """Return the versions in the lock file by package: it may hold one for each version of Python."""
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", LOCK.read_text(), re.MULTILINE):
        versions.setdefault(name.lower(), set()).add(version)
    return versions


def test_the_lock_holds_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*map(Requirement, [*project["dependencies"], *project["optional-dependencies"]["dev"]])]
    versions = locked()
    for requirement in asked:
        if requirement.name == "dlx":  # one of its own extras
            continue
        found = versions.get(requirement.name.lower(), set())
        assert found, f"{requirement.name} is not locked: make lock"
        assert all(map(requirement.specifier.contains, found)), (
            f"{requirement} is locked as {found}: make lock"
        )


def test_the_lock_names_no_place_and_every_package_has_its_hashes() -> None:
    text = LOCK.read_text()
    assert not re.search(r"://|^-|@ ", text, re.MULTILINE)
    entries = re.split(r"\n(?=[\w.-]+==)", text)[1:]
    assert len(entries) > 50
    assert all("--hash=sha256:" in entry for entry in entries)


def test_actions_are_pinned_to_a_commit_and_workflows_may_do_nothing_by_default() -> None:
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = path.read_text()
        assert "\npermissions: {}\n" in text
        used = re.findall(r"uses: (.*)", text)
        assert used
        assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each) for each in used)


FINE = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "not found"}
BAD = {"name": "c", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        (None, 0, "not audited: no advisories can be reached from here"),
        ([SKIPPED], 0, "not audited: no advisories can be reached from here"),
        ([FINE, SKIPPED], 0, "no known vulnerability in the 1 of 2 packages that could be audited"),
        ([FINE, SKIPPED, BAD], 1, "known vulnerabilities:\nc 2: PYSEC-1, fixed in 2.1"),
    ],
)
def test_an_audit_fails_only_for_a_known_vulnerability(packages: object, code: int, said: str) -> None:
    spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    audit = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(audit)
    assert audit.judged("" if packages is None else json.dumps({"dependencies": packages})) == (code, said)


def test_the_hooks_of_pre_commit_are_what_make_lint_runs() -> None:
    lint = (ROOT / "Makefile").read_text().split("\nlint:")[1].split("\n\n")[0]
    run = [command.removesuffix(" .") for command in re.findall(r"\$\(BIN\)/(.*)", lint)]
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    found = [hook["entry"].removeprefix(".venv/bin/").removesuffix(" --force-exclude") for hook in hooks]
    assert found == [command.replace("format --check", "format") for command in run]
    assert all(hook["entry"].startswith(".venv/bin/") for hook in hooks), "the project's own versions"


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == dlx.__version__
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()


def test_each_form_for_issues_has_fields_with_labels() -> None:
    forms = [
        yaml.safe_load(path.read_text())
        for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")
        if path.name != "config.yml"
    ]
    assert len(forms) == 2
    for form in forms:
        assert {"name", "description", "body"} <= form.keys()
        assert all(field["attributes"]["label"] for field in form["body"])
        assert len({field["id"] for field in form["body"]}) == len(form["body"])
