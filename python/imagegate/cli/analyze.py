"""`imagegate analyze`: what an image holds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from imagegate.cli.app import App
from imagegate.cli.options import IMAGE, platform_options, setting
from imagegate.model import Analysis, ImageRef


@click.command()
@click.argument("image", type=IMAGE)
@platform_options
@setting(
    "--catalogers",
    key="analysis.catalogers",
    type=click.Choice(["auto", "native", "syft"]),
    help="auto: native ones, and syft where a layer holds what they do not read.",
)
@click.option(
    "--output", "-o", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write the JSON document there."
)
@click.pass_obj
def analyze(app: App, image: ImageRef, all_platforms: bool, file: Path | None) -> None:
    """List what an image holds: packages, files, users, configuration.

    The document is described in docs/analysis.md. Layers that were read before are not read again.
    """
    with app.factory.open(image) as source:
        resolved = app.factory.resolve(source, all_platforms=all_platforms)
        analyses = [app.factory.analyze(each, source) for each in resolved.images]
    document = analyses[0] if len(analyses) == 1 and not all_platforms else analyses
    if file:
        import msgspec

        from imagegate.report import write_atomically

        write_atomically(file, msgspec.json.encode(document).decode() + "\n")
    if app.as_json:
        app.print_document(document)
    else:
        click.echo("\n\n".join(_summary(analysis) for analysis in analyses))


def _summary(analysis: Analysis) -> str:
    from imagegate.cli.console import printable

    distro = (
        f"{analysis.distro.name or analysis.distro.id} {analysis.distro.version}"
        if analysis.distro
        else "no distribution"
    )
    packages = Counter(package.type.value for package in analysis.packages)
    lines = [
        f"{analysis.digest}  {analysis.platform}  {analysis.size / 1e6:.1f} MB in {len(analysis.layers)} layers",
        f"  {distro}, user {analysis.config.runtime.user or 'root'}, {len(analysis.files)} files",
        "  packages: " + (", ".join(f"{number} {kind}" for kind, number in sorted(packages.items())) or "none"),
    ]
    width = max((len(package.name) for package in analysis.packages), default=0)
    lines += [
        f"    {package.type.value:7} {package.name:{width}}  {package.version}"
        for package in sorted(analysis.packages, key=lambda each: (each.type, each.name, each.version))
    ]
    return printable("\n".join(lines))
