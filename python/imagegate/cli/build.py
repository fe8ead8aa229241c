"""`imagegate build`: build an image on verified bases."""

from __future__ import annotations

from pathlib import Path

import click

from imagegate.cli.app import App
from imagegate.cli.options import setting, split_arguments


@click.command()
@click.argument("context", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option(
    "-f", "--file", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The Dockerfile."
)
@click.option("-t", "--tag", "names", multiple=True, required=True, metavar="NAME[:TAG]", help="Name it. May repeat.")
@click.option("--build-arg", "build_args", multiple=True, metavar="NAME=VALUE", help="Build argument. May repeat.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="Label. May repeat.")
@click.option("--target", default="", help="The stage to build up to. Default: the last one.")
@click.option("--network", default="", help="Network of RUN instructions, as `docker build --network`.")
@click.option("--no-cache", is_flag=True, help="Run every instruction again.")
@setting("--platform", key="platform", metavar="OS/ARCH[/VARIANT]", help="The platform to build for.")
@click.pass_obj
def build(
    app: App,
    context: Path,
    file: Path | None,
    names: tuple[str, ...],
    build_args: tuple[str, ...],
    labels: tuple[str, ...],
    target: str,
    network: str,
    no_cache: bool,
) -> None:
    """Build an image on verified base images, pinned by digest.

    Every image that the Dockerfile takes in must be signed in the trusted registry; the build uses exactly those
    digests, and the result names its base in labels, which the gate proves again. The image stays in the engine: gate
    it as docker-daemon:NAME.
    """
    from imagegate.build.builder import BuildRequest
    from imagegate.image.reference import parse_platform

    dockerfile = file or context / "Dockerfile"
    arguments = split_arguments(build_args)
    bases = app.factory.verify_bases(dockerfile, arguments, target)
    for each in bases:
        app.say(f"base {each.reference} verified, signed by {each.role}")
    request = BuildRequest(
        context=context,
        dockerfile=dockerfile.read_text(),
        bases=bases,
        platform=parse_platform(app.settings.platform),
        build_args=arguments,
        target=target,
        names=names,
        labels=split_arguments(labels),
        no_cache=no_cache,
        network=network,
    )
    built = app.factory.builder().build(request, app.say)
    app.answer(built, lambda: f"built     {', '.join(names)} is {built.id}")
