"""The ledger as one index.html in the report's style, and as Markdown."""

import platform

import dlx
from dlx.report.formats import to_markdown
from dlx.report.page.assets import environment, now, policy
from dlx.reproduce.ledger import Ledger

TITLE = "What reproduces"


def render(ledger: Ledger) -> str:
    """Return the HTML. Every text is escaped."""
    template = environment("dlx.reproduce", "dlx.report.page").get_template("ledger.html.jinja")
    return template.render(
        title=TITLE,
        ledger=ledger,
        policy=policy(),
        command=ledger.commands[0],
        written=now(),
        versions=[f"dlx {dlx.__version__}", f"Python {platform.python_version()}"],
    )


def render_markdown(ledger: Ledger) -> str:
    """Return the ledger in GitHub's Markdown."""
    lists = {
        "Where it was published": [f"{label}: {text}" for label, text in ledger.sources],
        "Not run": [f"{label}: {why}" for label, why in ledger.not_run],
        "Where dlx differs from what was published": [
            f"{label}: {text}" for label, text in ledger.deviations
        ],
    }
    parts = [f"# {TITLE}", " · ".join(ledger.facts), ledger.finding, to_markdown(ledger.table)]
    for heading, items in lists.items():
        if items:
            parts += [f"## {heading}", "\n".join(f"- {item}" for item in items)]
    parts += ["## To repeat it", "\n".join(f"    {command}" for command in ledger.commands)]
    return "\n\n".join(parts) + "\n"
