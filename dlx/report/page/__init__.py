"""The report as one page: its public names."""

from dlx.report.page.render import Page, render, settled
from dlx.report.page.templates import environment, now

__all__ = ["Page", "environment", "now", "render", "settled"]
