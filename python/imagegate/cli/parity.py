"""`imagegate parity`: does the embedded evaluator say what a real engine says?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagegate.cli.app import App

if TYPE_CHECKING:
    from imagegate.parity.recording import Recording
    from imagegate.policy.facts import Facts


@click.group()
def parity() -> None:
    """Compare the embedded evaluator with a real engine."""


@parity.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR")
@click.pass_obj
def golden(app: App, directory: Path) -> int:
    """Run the evaluations recorded in DIR under `compat: engine`, and print every difference.

    Exits with 1 when there is one.
    """
    from imagegate.cli.console import printable
    from imagegate.parity import feeds
    from imagegate.parity.golden import compare
    from imagegate.parity.recording import Recording

    recording = Recording(directory)
    now = feeds.evaluated_at(recording.advisories)
    facts = {image: _facts(app, recording, image) for image in recording.images}
    results = {case.name: compare(case, facts, now) for case in recording.cases}
    differences = [difference for found in results.values() for difference in found]
    equal = sum(not found for found in results.values())
    if app.as_json:
        app.print_json("parity", {"cases": len(results), "equal": equal, "differences": differences})
        return 1 if differences else 0
    for each in differences:
        click.echo(printable(f"{each.case} {each.image} {each.what}\n  - {each.engine}\n  + {each.ours}"))
    click.echo(f"{equal} of {len(results)} cases equal")
    return 1 if differences else 0


def _facts(app: App, recording: Recording, image: str) -> Facts:
    """Analyse an image of the recording as the engine's configuration says."""
    from imagegate.analysis.spool import Spool
    from imagegate.analysis.tarstream import TarStream
    from imagegate.image.reference import parse
    from imagegate.parity import feeds
    from imagegate.parity.golden import as_engine_sees
    from imagegate.policy.facts import Facts
    from imagegate.settings import Limits

    dockerfile = recording.dockerfile(image)
    with Spool() as spool:
        with recording.layout(image).open("rb") as file:
            tar = TarStream(file, Limits())
            for member in tar:
                spool.add(member, tar)
        with app.factory.open(parse(f"oci:{spool.root}")) as source:
            (resolved,) = app.factory.resolve(source).images
            analysis = as_engine_sees(app.factory.analyze(resolved, source, recording.settings()))
    return Facts(
        analysis=analysis,
        dockerfile=app.factory.dockerfile(dockerfile) if dockerfile else None,
        vulnerabilities=feeds.report(recording.advisories, analysis),
        image_id=resolved.config_descriptor.digest,
        listing=feeds.listing(recording.advisories),
    )
