"""`imagegate explain`: why an image is stopped, and what to do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagegate.cli.app import App
from imagegate.cli.check import published_name
from imagegate.cli.options import IMAGE, platform_options, policy_options
from imagegate.cli.verdict import EXIT_CODES
from imagegate.model import ImageRef, joint_verdict

if TYPE_CHECKING:
    from imagegate.gate import Judgement
    from imagegate.model import Finding, PlatformImage
    from imagegate.policy.model import PolicyBundle
    from imagegate.report.explain import LayerText, RuleText


@click.command()
@click.argument("image", type=IMAGE)
@click.argument("wanted", nargs=-1, metavar="[FINDING]...")
@policy_options
@click.option("--as", "name", metavar="REGISTRY/REPO:TAG", help="Evaluate under this name, which mappings see.")
@platform_options
@click.pass_obj
def explain(
    app: App,
    image: ImageRef,
    wanted: tuple[str, ...],
    dockerfile: Path | None,
    name: str | None,
    all_platforms: bool,
) -> int:
    """Explain an image's findings: the rule, the place, whose it is, the smallest fix, a waiver ready to paste.

    FINDING is the beginning of a trigger id, a vulnerability, GATE/TRIGGER, a rule's id, a path or a package's name;
    without it, all findings are explained. Exits as `check` does.
    """
    from imagegate.cli.console import printable
    from imagegate.report.explain import explain as explained
    from imagegate.report.explain import is_selected

    now = datetime.now(UTC)
    judge = app.factory.judge(dockerfile)
    lines = _lines(judge.bundle)
    judgements = []
    with app.factory.open(image) as source:
        for each in app.factory.resolve(source, all_platforms=all_platforms).images:
            judgement = judge(each, source, name or published_name(image))
            judgements.append(judgement)
            evaluation = judgement.evaluation
            for finding in evaluation.findings:
                if wanted and not any(is_selected(finding, words) for words in wanted):
                    continue
                text = explained(
                    finding,
                    evaluation,
                    rule=_rule(judge.bundle, finding, lines),
                    layer=_layer(each, finding),
                    base=_base(judgement),
                    dockerfile=str(dockerfile or "Dockerfile"),
                    now=now,
                )
                click.echo(printable(text) + "\n")
            for problem in evaluation.problems:
                app.say(f"note: {problem.details}")
    verdict = joint_verdict([judgement.evaluation for judgement in judgements])
    click.echo(f"verdict: {verdict.value}")
    return EXIT_CODES[verdict]


def _lines(bundle: PolicyBundle) -> dict[str, int]:
    from imagegate.policy.lint import lines

    return lines(Path(bundle.source).read_text())


def _rule(bundle: PolicyBundle, finding: Finding, lines: dict[str, int]) -> RuleText:
    from imagegate.policy.page import parameters
    from imagegate.report.explain import RuleText

    rules = bundle.rule_sets[finding.policy_id].rules
    rule = next((each for each in rules if each.place == finding.rule_place), None)
    place = f"{bundle.source}:{lines[finding.rule_place]}" if finding.rule_place in lines else bundle.source
    return RuleText(place, parameters(rule) if rule else "")


def _layer(image: PlatformImage, finding: Finding) -> LayerText | None:
    from imagegate.report.explain import LayerText

    digests = [layer.descriptor.digest for layer in image.layers]
    if finding.layer not in digests:
        return None
    steps = [entry.created_by or "" for entry in image.config.history or () if not entry.empty_layer]
    number = digests.index(finding.layer)
    return LayerText(number + 1, len(digests), steps[number] if len(steps) == len(digests) else "")


def _base(judgement: Judgement) -> str:
    return judgement.base.reference if judgement.base else ""
