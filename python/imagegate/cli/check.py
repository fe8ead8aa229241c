"""`imagegate check`: evaluate a policy on images, and change nothing."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from imagegate.cli.app import App
from imagegate.cli.options import IMAGE, output_option, platform_options, policy_options, split_outputs
from imagegate.cli.verdict import EXIT_CODES, Witness, publish
from imagegate.model import ImageRef, RegistryRef, SbomRef, joint_verdict


@click.command()
@click.argument("images", nargs=-1, required=True, type=IMAGE, metavar="IMAGE...")
@policy_options
@click.option("--as", "name", metavar="REGISTRY/REPO:TAG", help="Evaluate under this name, which mappings see.")
@platform_options
@output_option
@click.pass_obj
def check(
    app: App,
    images: tuple[ImageRef, ...],
    dockerfile: Path | None,
    name: str | None,
    all_platforms: bool,
    outputs: tuple[str, ...],
) -> int:
    """Evaluate a policy on images, and change nothing.

    IMAGE is registry/repo:tag, registry/repo@sha256:..., docker-daemon:NAME, oci:DIR[:ref], docker-archive:FILE, or
    sbom:FILE, an SBOM made elsewhere (CycloneDX, SPDX or syft's own, as JSON).
    """
    reports = split_outputs(outputs)
    judge = Witness(app.factory.judge(dockerfile))
    sboms = [(app.factory.read_sbom(each), each) for each in images if isinstance(each, SbomRef)]
    with ExitStack() as stack:
        found = []
        for reference in images:
            if isinstance(reference, SbomRef):
                continue
            source = stack.enter_context(app.factory.open(reference))
            resolved = app.factory.resolve(source, all_platforms=all_platforms)
            found += [(image, source, name or published_name(reference)) for image in resolved.images]
        for each in found:
            judge.announce(*each)
        for each in found:
            judge(*each)
    for sbom, reference in sboms:
        judge.of_sbom(sbom, name or sbom.name or published_name(reference))
    publish(app, judge, reports, dockerfile=dockerfile)
    return EXIT_CODES[joint_verdict(judge.evaluations)]


def published_name(reference: ImageRef) -> str:
    """Return the name that mappings see: an image from no registry is one of the registry `localhost`."""
    if isinstance(reference, RegistryRef):
        return f"{reference.repository}:{reference.tag or 'latest'}"
    text = getattr(reference, "name", "") or Path(getattr(reference, "path", "image")).stem
    repository, _, tag = text.rpartition(":") if ":" in text.rpartition("/")[2] else (text, "", "latest")
    return f"localhost/{repository.strip('/')}:{tag}"
