"""What the HTML report tells before the findings: the verdict, what to do next, and the facts of each image."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from imagegate.model import Evaluation, Problem, Verdict
from imagegate.report.context import Context, counts, name, remark
from imagegate.report.escape import markup
from imagegate.report.text import next_step, tally

TITLES = {Verdict.PASS: "Pass", Verdict.STOP: "Stop", Verdict.UNDECIDED: "Could not decide"}

_CODE = re.compile("`([^`]*)`")


def banner(evaluations: Sequence[Evaluation], verdict: Verdict, context: Context) -> str:
    """Return the joint verdict and the next step."""
    about = markup(evaluations[0].tag) if len(evaluations) == 1 else tally(evaluations)
    step = _CODE.sub(r"<code>\1</code>", markup(next_step(evaluations, verdict, context)))
    return (
        f'<header class="{verdict.value}"><h1><b>{TITLES[verdict]}</b> <span>{about}</span></h1>'
        f"{f'<p>Next: {step}</p>' if step else ''}</header>\n"
    )


def image(evaluation: Evaluation, context: Context, *, several: bool) -> str:
    """Return one image's problems, counts and facts; with its verdict and name, where the banner does not say them."""
    verdict = evaluation.verdict
    tag = f'<b class="tag {verdict.value}">{TITLES[verdict]}</b>'
    title = f"<h2>{tag} <span>{markup(name(evaluation))}</span></h2>\n" if several else ""
    note = remark(evaluation)
    facts = "".join(
        f"<div><dt>{term}</dt><dd>{markup(text)}</dd></div>" for term, text in _facts(evaluation, context) if text
    )
    return (
        f'<section class="image {verdict.value}" aria-label="{markup(name(evaluation))}">{title}'
        f"{''.join(map(_problem, evaluation.problems))}{f'<p>{markup(note)}</p>' if note else ''}"
        f'<ul class="counts">{_counts(evaluation)}</ul>\n<dl>{facts}</dl></section>\n'
    )


def _facts(evaluation: Evaluation, context: Context) -> Iterator[tuple[str, str]]:
    yield "Digest", evaluation.digest
    yield "Platform", evaluation.platform
    yield "Policy", context.policy or evaluation.policy_id
    yield "Mapping", evaluation.mapping
    yield "Base", context.bases.get(evaluation.digest, "")
    yield "Packages", f"{context.packages[evaluation.digest]:,}" if evaluation.digest in context.packages else ""
    yield "Advisories of", f"{context.advisories:%Y-%m-%d}" if context.advisories else ""
    yield "Evaluated", f"{evaluation.evaluated_at:%Y-%m-%d %H:%M %Z}"


def _counts(evaluation: Evaluation) -> str:
    found = counts(evaluation)
    numbers = {"stop": found.stop, "warn": found.warn, "go": found.go, "allowlisted": found.allowlisted}
    return "".join(
        f'<li class="{word if number else "zero"}"><b>{number:,}</b> {word}</li>' for word, number in numbers.items()
    )


def _problem(problem: Problem) -> str:
    word = "error" if problem.severity == "error" else "note"
    return f'<p class="problem {word}"><b>{word}</b> {markup(f"{problem.type}: {problem.details}")}</p>\n'
