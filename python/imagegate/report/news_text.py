"""What a re-check found, for a terminal."""

from __future__ import annotations

from imagegate.model.news import News, Reaches
from imagegate.report.escape import line
from imagegate.report.news import Table, tables, title

_MOST = 20
_WIDEST = 60


def render(news: News, reaches: Reaches) -> str:  # noqa: ARG001 - the renderers' signature
    """Return the report, each table no longer than what one reads."""
    parts = [title(news) + "\n", *(f"  could not decide: {line(each)}\n" for each in news.problems)]
    parts += [_shown(each) for each in tables(news, _MOST) if each.rows]
    return "\n".join(parts)


def _shown(table: Table) -> str:
    rows = [table.columns, *(tuple(line(cell) for cell in row) for row in table.rows)]
    widths = [min(max(len(row[column]) for row in rows), _WIDEST) for column in range(len(table.columns))]
    told = [f"{table.heading}\n"]
    told += ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() + "\n" for row in rows]
    if table.more:
        told.append(f"  … and {table.more} more; --json and --output tell all\n")
    return "".join(told)
