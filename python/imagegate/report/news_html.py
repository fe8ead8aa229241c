"""What a re-check found, as a page for a browser or a mail: no script, no file beside it."""

from __future__ import annotations

from imagegate import __version__
from imagegate.model.news import News, Reaches
from imagegate.report.escape import markup
from imagegate.report.news import Table, tables, title

_MOST = 2000
_INLINE, _BESIDE = "'unsafe-inline'", "'self'"
_POLICY = f"default-src 'none'; style-src {_INLINE}; base-uri 'none'; form-action 'none'"
_STYLE = (
    "body{font:14px/1.4 sans-serif;margin:1.5em}table{border-collapse:collapse;margin-bottom:1.5em}"
    "th,td{border:1px solid #bbb;padding:.25em .6em;text-align:left;vertical-align:top}th{background:#eee;color:#000}"
)


def render(news: News, reaches: Reaches) -> str:  # noqa: ARG001 - the renderers' signature
    """Return the page."""
    shown = markup(title(news))
    problems = "".join(f"<p><strong>Could not decide:</strong> {markup(each)}</p>\n" for each in news.problems)
    listed = "".join(_shown(each) for each in tables(news, _MOST) if each.rows)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{shown} - imagegate</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{shown}</h1>\n"
        f"{problems}{listed}<p>imagegate {__version__}</p>\n</body>\n</html>\n"
    )


def beside(page: str, name: str) -> tuple[str, str]:
    """Return a page with its styles in a file of that name beside it, and that file's text.

    Jenkins shows no styles that are in a page. (Its Content-Security-Policy for archived files.)
    """
    link = f'<link rel="stylesheet" href="{name}">'
    return page.replace(f"<style>{_STYLE}</style>", link, 1).replace(_INLINE, _BESIDE, 1), f"{_STYLE}\n"


def _shown(table: Table) -> str:
    head = "".join(f"<th>{markup(each)}</th>" for each in table.columns)
    rows = "".join("<tr>" + "".join(f"<td>{markup(cell)}</td>" for cell in row) + "</tr>\n" for row in table.rows)
    more = f"<p>… and {table.more} more.</p>\n" if table.more else ""
    return f"<h2>{markup(table.heading)}</h2>\n<table>\n<tr>{head}</tr>\n{rows}</table>\n{more}"
