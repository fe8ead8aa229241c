"""The report as a page for a browser, which needs no script.

Jenkins serves what a build archived with the policy `sandbox; default-src 'none'; img-src 'self'; style-src 'self'`
(Jenkins, "Configuring Content Security Policy"): no script runs, and style counts only from a file beside the page. The
same rules are in the page too, for where it is opened alone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from imagegate import __version__
from imagegate.model import Evaluation, joint_verdict
from imagegate.report.context import Context, name
from imagegate.report.escape import markup
from imagegate.report.html_facets import Facet, Row, controls, facets, rows, rules
from imagegate.report.html_findings import table
from imagegate.report.html_images import TITLES, banner, image

_POLICY = "default-src 'none'; style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""The page's own policy, for where no server sets one. Were something of an image markup after all, it runs nothing."""


def render(evaluations: Sequence[Evaluation], context: Context) -> str:
    """Return the page alone."""
    found = rows(evaluations)
    sorted_by = facets(found)
    return _page(evaluations, found, sorted_by, context, style=_style(sorted_by))


def render_files(path: Path, evaluations: Sequence[Evaluation], context: Context) -> list[tuple[Path, str]]:
    """Return the page, and the stylesheet beside it that it names."""
    found = rows(evaluations)
    sorted_by = facets(found)
    style = _style(sorted_by)
    beside = path.with_name(f"{path.name}.css") if path.suffix == ".css" else path.with_suffix(".css")
    link = f'<link rel="stylesheet" href="{quote(os.fsencode(beside.name))}">\n'
    return [(path, _page(evaluations, found, sorted_by, context, style=style, link=link)), (beside, style)]


def _style(sorted_by: Sequence[Facet]) -> str:
    return files("imagegate.report").joinpath("report.css").read_text("utf-8") + rules(sorted_by)


def _page(
    evaluations: Sequence[Evaluation],
    found: Sequence[Row],
    sorted_by: Sequence[Facet],
    context: Context,
    *,
    style: str,
    link: str = "",
) -> str:
    verdict = joint_verdict(evaluations)
    about = ", ".join(map(name, evaluations))[:200] or "nothing was evaluated"
    several = len(evaluations) > 1
    images = "".join(image(evaluation, context, several=several) for evaluation in evaluations)
    listed = _findings(found, sorted_by, context, several=several)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{TITLES[verdict]}: {markup(about)} - imagegate</title>\n"
        f"{link}<style>\n{style}</style>\n</head>\n<body>\n"
        f"{banner(evaluations, verdict, context)}<main>\n{images}{listed}</main>\n"
        f"<footer>imagegate {__version__}</footer>\n</body>\n</html>\n"
    )


def _findings(found: Sequence[Row], sorted_by: Sequence[Facet], context: Context, *, several: bool) -> str:
    """Return the table with its controls. A form of method dialog is sent nowhere; it is there for its reset button."""
    if not found:
        return '<section id="findings"><h2>Findings</h2><p>None.</p></section>\n'
    many = f"{len(found)} finding{'s' if len(found) > 1 else ''}"
    listed = table(found, sorted_by, context, several=several)
    # The stylesheet counts the rows that it shows, so the number stands after them and is put before them.
    return (
        '<section id="findings"><h2>Findings</h2>\n'
        '<label id="unfold"><input type="checkbox"> Filter and sort</label>\n'
        f'<form method="dialog" aria-label="Filter and sort">\n{controls(sorted_by)}'
        '<button type="reset">Show all</button></form>\n'
        f'<div id="list">\n{listed}<p id="count">{many}</p></div></section>\n'
    )
