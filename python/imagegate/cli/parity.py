"""`imagegate parity`: does the embedded evaluator say what a real engine says?"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagegate.cli.app import App
from imagegate.cli.options import IMAGE
from imagegate.model import ImageRef

if TYPE_CHECKING:
    from imagegate.parity.recording import Recording
    from imagegate.policy.facts import Facts


class _ImagesByDefault(click.Group):
    """What is no verb of the group is an image to compare."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["images", *args]
        return super().parse_args(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or self.commands["images"]


@click.group(cls=_ImagesByDefault)
def parity() -> None:
    """Compare the embedded evaluator with a real engine: `parity IMAGE...`, or `parity golden DIR`."""


@parity.command()
@click.argument("images", nargs=-1, required=True, type=IMAGE, metavar="IMAGE...")
@click.option("--policy", required=True, metavar="NAME|FILE", help="The policy; the server has it under the same id.")
@click.option("--dockerfile", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Of the images.")
@click.option(
    "--allow", "allowed", multiple=True, metavar="GATE/TRIGGER[/ID]", help="A difference to expect. May repeat."
)
@click.option("--as", "name", metavar="REGISTRY/REPO:TAG", help="Evaluate under this name, which mappings see.")
@click.pass_obj
def images(
    app: App,
    images: tuple[ImageRef, ...],
    policy: str,
    dockerfile: Path | None,
    allowed: tuple[str, ...],
    name: str | None,
) -> int:
    """Evaluate images by the Anchore server and here under `compat: engine`, and print every difference.

    Exits with 1 when there is one that was not to be expected.
    """
    from imagegate.cli.check import published_name
    from imagegate.cli.console import printable
    from imagegate.parity.images import compare

    app.set_flags({"policy.bundle": policy, "policy.compat": "engine", "policy.unmapped": "go"})
    local = app.factory.local_judge(dockerfile)
    server = app.factory.server_judge(dockerfile, policy_id=local.bundle.id)
    differences, same = [], 0
    with ExitStack() as stack:
        found = []
        for reference in images:
            source = stack.enter_context(app.factory.open(reference))
            (image,) = app.factory.resolve(source).images
            found.append((image, source, name or published_name(reference)))
        for each in found:
            server.announce(*each)
        for each in found:
            theirs, ours = server(*each).evaluation, local(*each).evaluation
            told = list(compare(theirs, ours, allowed))
            differences += told
            same += not told
    unexpected = [difference for difference in differences if not difference.expected]
    if app.as_json:
        app.print_json("parity-images", {"images": len(found), "equal": same, "differences": differences})
        return 1 if unexpected else 0
    for difference in differences:
        expected = " (expected)" if difference.expected else ""
        click.echo(printable(f"{difference.image}  {difference.side}: {difference.finding}{expected}"))
    click.echo(f"{same} of {len(found)} images equal, {len(unexpected)} unexpected differences")
    return 1 if unexpected else 0


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
