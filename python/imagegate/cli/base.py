"""`imagegate base`: the base images of a Dockerfile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagegate.cli.app import App, titled
from imagegate.cli.options import setting, split_arguments

if TYPE_CHECKING:
    from imagegate.trust.base import VerifiedBase


@click.group()
def base() -> None:
    """Verify the base images of a Dockerfile."""


@base.command()
@click.option(
    "-f",
    "--file",
    "file",
    default="Dockerfile",
    show_default=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The Dockerfile.",
)
@click.option("--build-arg", "build_args", multiple=True, metavar="NAME=VALUE", help="Build argument. May repeat.")
@click.option("--target", default="", help="The stage to build up to. Default: the last one.")
@setting("--platform", key="platform", metavar="OS/ARCH[/VARIANT]", help="The platform to build for.")
@click.option(
    "--write-pinned", "pinned", type=click.Path(path_type=Path), help="Write the Dockerfile pinned by digest."
)
@click.pass_obj
def verify(app: App, file: Path, build_args: tuple[str, ...], target: str, pinned: Path | None) -> None:
    """Resolve every image that a build takes in to the digest that is signed for it in the trusted registry.

    An image that lies elsewhere, or is not signed by an allowed role, stops it (exit 1).
    """
    from imagegate.report import write_atomically
    from imagegate.trust.base import pin

    bases = app.factory.verify_bases(file, split_arguments(build_args), target)
    if pinned:
        write_atomically(pinned, pin(file.read_text(), bases))
    app.answer(titled("bases", {"dockerfile": str(file), "bases": bases}), lambda: _told(file, bases))


def _told(file: Path, bases: Sequence[VerifiedBase]) -> str:
    return (
        "\n".join(
            f"verified  {each.reference.repository}:{each.reference.tag or each.digest} is {each.digest}, "
            f"signed by {each.role}"
            for each in bases
        )
        or f"{file} takes in no image"
    )
