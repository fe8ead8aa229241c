"""What the findings of the HTML report are filtered and sorted by, without a script.

A facet gives each row a class of its key and the number of its value, as `s0` for the gravest severity. An input of the
same id shows or hides the rows of that class, and a sort takes the number as the row's `order`; both are rules of the
stylesheet. (Selectors 4, `:has()`; CSS Flexible Box Layout 1, `order`.) They ask the form what is chosen, not the page:
a browser asks again for whatever is added to what was asked, and there are many rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from imagegate.model import Action, Evaluation, Finding, Severity
from imagegate.report.context import gravity, name
from imagegate.report.escape import markup

_ACTIONS = [*(action.value for action in sorted(Action, key=lambda each: -each.rank)), "allowlisted"]
_SEVERITIES = [*(severity.value for severity in sorted(Severity, key=lambda each: -each.rank)), "none"]
_OWNERS = ["image", "base", "not known"]
_FIXES = ["known", "not known"]
_SORTS = [("", "gravest first"), ("s", "severity"), ("p", "package"), ("g", "gate"), ("f", "fix known first")]
"""The keys of facets to sort by; the order of the document is the first one."""


class Row(msgspec.Struct, frozen=True):
    """A finding and the evaluation that it is of."""

    finding: Finding
    evaluation: Evaluation


class Facet(msgspec.Struct, frozen=True):
    """A property of findings. values: in their order; numbers: of each row's value; title: empty for no filter."""

    key: str
    title: str
    values: Sequence[str]
    numbers: Sequence[int]


def rows(evaluations: Sequence[Evaluation]) -> list[Row]:
    """Return the findings of all images, the gravest first and the allowlisted last."""
    found = [Row(finding, evaluation) for evaluation in evaluations for finding in evaluation.findings]
    return sorted(found, key=lambda row: (row.finding.allowlisted is not None, gravity(row.finding)))


def facets(rows: Sequence[Row]) -> list[Facet]:
    """Return all facets of the rows."""
    return [
        _facet(rows, "a", "Action", action, _ACTIONS.index),
        _facet(rows, "s", "Severity", lambda row: row.finding.severity or "none", _SEVERITIES.index),
        _facet(rows, "o", "Whose", lambda row: row.finding.owner or "not known", _OWNERS.index),
        _facet(rows, "f", "Fix", lambda row: "known" if row.finding.fix else "not known", _FIXES.index),
        _facet(rows, "g", "Gate", lambda row: row.finding.gate),
        _facet(rows, "i", "Image", lambda row: name(row.evaluation)),
        _facet(rows, "p", "", _package, lambda package: (not package, package.lower(), package)),
    ]


def action(row: Row) -> str:
    """Return what the finding counts as."""
    return "allowlisted" if row.finding.allowlisted else row.finding.action.value


def classes(facets: Sequence[Facet]) -> list[str]:
    """Return the classes of each row."""
    return [" ".join(each) for each in zip(*([f"{it.key}{n}" for n in it.numbers] for it in facets), strict=True)]


def rules(facets: Sequence[Facet]) -> str:
    """Return the style rules that the facets need. A filter of which nothing is chosen lets all through."""
    return "".join(f"{rule}\n" for facet in facets for rule in _rules(facet))


def controls(facets: Sequence[Facet]) -> str:
    """Return the inputs: filters with the numbers of findings, where there is a choice, and the sorts."""
    return _sorts() + "".join(_filter(facet) for facet in facets if facet.title and len(facet.values) > 1)


def _facet(
    rows: Sequence[Row], key: str, title: str, value: Callable[[Row], str], order: Callable[[str], Any] = str.lower
) -> Facet:
    told = [str(value(row)) for row in rows]
    values = sorted(set(told), key=lambda each: (order(each), each))
    numbers = {each: number for number, each in enumerate(values)}
    return Facet(key, title, values, [numbers[each] for each in told])


def _package(row: Row) -> str:
    return row.finding.package.name if row.finding.package else ""


def _rules(facet: Facet) -> Iterator[str]:
    key = facet.key
    sorts = any(key == each for each, _ in _SORTS)
    for number in range(len(facet.values)):
        if sorts:
            yield f".{key}{number}{{--{key}:{number}}}"
        if facet.title and len(facet.values) > 1:
            yield f"form:has(#{key} :checked):not(:has(#{key}{number}:checked)) ~ div .{key}{number}{{display:none}}"
    if sorts:
        yield f"form:has(#by-{key}:checked) ~ div tbody tr{{order:var(--{key})}}"


def _sorts() -> str:
    inputs = "".join(
        f'<label><input type="radio" name="sort" id="by-{key}"{"" if key else " checked"}> {title}</label>'
        for key, title in _SORTS
    )
    return f'<fieldset id="sort"><legend>Sort by</legend>{inputs}</fieldset>\n'


def _filter(facet: Facet) -> str:
    inputs = "".join(
        f'<label><input type="checkbox" id="{facet.key}{number}"> <span>{markup(value[:200])}</span>'
        f" <small>{facet.numbers.count(number):,}</small></label>"
        for number, value in enumerate(facet.values)
    )
    return f'<fieldset id="{facet.key}"><legend>{facet.title}</legend>{inputs}</fieldset>\n'
