"""What a re-check found, as GitHub-flavoured Markdown: a job's summary, or the plain part of a mail."""

from __future__ import annotations

from imagegate.model.news import News, Reaches
from imagegate.report.escape import code
from imagegate.report.news import Table, tables, title

_MOST = 50


def render(news: News, reaches: Reaches) -> str:  # noqa: ARG001 - the renderers' signature
    """Return the report; names stand in code spans, where nothing is markup."""
    parts = [f"## imagegate: {title(news)}\n", *(f"\n⚠️ could not decide: {code(each)}\n" for each in news.problems)]
    parts += [_shown(each) for each in tables(news, _MOST) if each.rows]
    return "".join(parts)


def _shown(table: Table) -> str:
    rows = [f"\n### {table.heading}\n\n", _row(table.columns), _row(("---",) * len(table.columns))]
    rows += [_row(tuple(code(cell) for cell in row)) for row in table.rows]
    if table.more:
        rows.append(f"\n… and {table.more} more.\n")
    return "".join(rows)


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |\n"
