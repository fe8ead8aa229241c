"""The findings in the HTML report: a table, whose rows the stylesheet can put into another order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from imagegate.model import Finding
from imagegate.report.context import Context, RuleText, name, place, subject
from imagegate.report.escape import markup
from imagegate.report.explain import explain
from imagegate.report.html_facets import Facet, Row, action, classes

LONGEST = 1000
"""Characters of one text in a row; the details have all of it."""

_LINKS = (
    (re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}"), "https://nvd.nist.gov/vuln/detail/"),
    (re.compile(r"GHSA(?:-[23456789cfghjmpqrvwx]{4}){3}"), "https://github.com/advisories/"),
)
"""The ids that become links, and to where. (CVE Record Format 5, `cveId`; GitHub, "About GHSA IDs".)"""
_BREAK = re.compile(r"(?<=\w)/")
_COLUMNS = ("Action", "Severity", "Finding", "Rule", "Fix", "Whose")


def table(rows: Sequence[Row], facets: Sequence[Facet], context: Context, *, several: bool) -> str:
    """Return the table. several: there is more than one image, so that each row names its own.

    The roles are what the elements mean anyway, until a stylesheet gives them another display. (HTML-AAM.)
    """
    heads = "".join(f'<th role="columnheader" scope="col">{title}</th>' for title in _COLUMNS)
    head = f'<thead role="rowgroup"><tr role="row">{heads}<th role="columnheader" scope="col">Details</th></tr></thead>'
    body = "".join(_row(row, names, context, several=several) for row, names in zip(rows, classes(facets), strict=True))
    return f'<table role="table" aria-label="Findings">{head}\n<tbody role="rowgroup">\n{body}</tbody></table>\n'


def shown(text: str) -> str:
    """Return a text of an image as markup, cut where it is too long to be read. Its line may break after a slash."""
    return _BREAK.sub("/<wbr>", markup(text if len(text) <= LONGEST else f"{text[:LONGEST]}…"))


def _row(row: Row, names: str, context: Context, *, several: bool) -> str:
    finding, evaluation = row.finding, row.evaluation
    done = action(row)
    severity = finding.severity.value if finding.severity else ""
    told = context.rule_texts.get(finding.rule_place, RuleText())
    rule = " ".join(filter(None, (told.place or finding.policy_id, f"({finding.rule_id})")))
    cells = (
        ("act", f'<b class="tag {done}">{done}</b>' + (_note(finding.action.value) if finding.allowlisted else "")),
        ("sev", f'<b class="tag {severity.lower()}">{severity}</b>' if severity else ""),
        ("what", _subject(finding) + "".join(map(_note, _notes(row, context, several=several)))),
        ("rule", f"{shown(f'{finding.gate}/{finding.trigger}')}{_note(rule)}"),
        ("fix", shown(finding.fix)),
        ("whose", "".join((finding.owner.value if finding.owner else "", *map(_note, _origin(row, context))))),
        (
            "more",
            f"<details><summary>Details</summary><pre>{markup(explain(finding, evaluation, context), lines=True)}"
            "</pre></details>",
        ),
    )
    inner = "".join(f'<td role="cell" class="{key}">{content}</td>' for key, content in cells)
    return f'<tr role="row" class="{names}">{inner}</tr>\n'


def _note(text: str) -> str:
    return f"<small>{shown(text)}</small>" if text else ""


def _subject(finding: Finding) -> str:
    """Return what was found, with a link of the id that it begins with."""
    text = subject(finding)
    identifier = finding.vulnerability
    for pattern, url in _LINKS:
        if pattern.fullmatch(identifier) and text.startswith(identifier):
            rest = shown(text[len(identifier) :])
            return f'<a href="{url}{identifier}" rel="noreferrer">{identifier}</a>{rest}'
    return shown(text)


def _notes(row: Row, context: Context, *, several: bool) -> Iterator[str]:
    """Yield where it is, and by what it was let through; nothing that the subject has said."""
    finding, package = row.finding, row.finding.package
    said = subject(finding)
    yield place(finding, context)
    if package and not finding.vulnerability:
        yield f"{package.name} {package.version} ({package.type.value})"
    for path in dict.fromkeys((finding.path, package.path if package else "")):
        if path and path not in said:
            yield path
    if several:
        yield name(row.evaluation)
    if finding.allowlisted:
        yield f"allowlisted by {finding.allowlisted.allowlist_name or finding.allowlisted.allowlist_id}, " + (
            f"item {finding.allowlisted.item_id}"
        )


def _origin(row: Row, context: Context) -> Iterator[str]:
    layer = context.layers.get((row.evaluation.digest, row.finding.layer)) if row.finding.layer else None
    if layer:
        yield f"layer {layer.number} of {layer.of}"
