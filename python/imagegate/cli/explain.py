"""`imagegate explain`: why an image is stopped, and what to do."""

from __future__ import annotations

from pathlib import Path

import click

from imagegate.cli.app import App
from imagegate.cli.check import published_name
from imagegate.cli.options import IMAGE, platform_options, policy_options
from imagegate.cli.verdict import EXIT_CODES, Witness
from imagegate.model import ImageRef, SbomRef, joint_verdict


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

    witness = Witness(app.factory.judge(dockerfile))
    if isinstance(image, SbomRef):
        sbom = app.factory.read_sbom(image)
        witness.of_sbom(sbom, name or sbom.name or published_name(image))
    else:
        with app.factory.open(image) as source:
            for each in app.factory.resolve(source, all_platforms=all_platforms).images:
                witness(each, source, name or published_name(image))
    context = witness.context(dockerfile, "")
    for evaluation in witness.evaluations:
        for finding in evaluation.findings:
            if not wanted or any(is_selected(finding, words) for words in wanted):
                click.echo(printable(explained(finding, evaluation, context)) + "\n")
        for problem in evaluation.problems:
            app.say(f"note: {problem.details}")
    verdict = joint_verdict(witness.evaluations)
    click.echo(f"verdict: {verdict.value}")
    return EXIT_CODES[verdict]
