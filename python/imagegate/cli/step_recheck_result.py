"""How a re-check is told to Jenkins: its numbers, a line for the log, one beside the build."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from imagegate.cli.step_result import LINE, shortened
from imagegate.jenkins.result import Rechecked
from imagegate.model.news import News
from imagegate.report.escape import line
from imagegate.report.news import title, totals

_UPGRADES, _PROBLEMS = 50, 5
"""Of many, those that are told: the reports have all."""


def told(code: int, news: News | None, problems: Sequence[str], sent: int) -> dict[str, Any]:
    """Return the facts of a step's result. news: None where there is no report. sent: messages to teams."""
    more = len(problems) - _PROBLEMS
    undecided = "; ".join([*problems[:_PROBLEMS], *([f"{more} more"] if more > 0 else [])])
    if news is None:
        return {"message": undecided, "description": "re-check undecided", "badge": "re-check: undecided"}
    found = title(news)
    vulnerabilities, images = totals(news)
    word = "undecided" if code == 2 else f"{vulnerabilities} new or changed" if vulnerabilities else "nothing new"
    # The library keeps a build's descriptions apart by semicolons.
    short = found.replace(";", ",")
    return {
        "message": f"{undecided}; what was found: {found}" if code == 2 else f"re-check: {found}",
        "description": shortened(line(f"re-check{' undecided' if code == 2 else ''}: {short}"), LINE),
        "badge": f"re-check: {word}",
        "recheck": Rechecked(
            vulnerabilities=vulnerabilities,
            images=images,
            above=news.above,
            stopped=sum(each.stopped for each in news.teams),
            teams=news.teams,
            upgrades=news.upgrades[:_UPGRADES],
            sent=sent,
            problems=tuple(problems),
            standing=news.standing.teams if news.standing else (),
        ),
    }
