"""`imagegate analyze`: what an image holds."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import click

from imagegate.cli.app import App
from imagegate.cli.options import IMAGE, platform_options, setting
from imagegate.errors import UsageError
from imagegate.model import Analysis, ImageRef

FORMATS = ("json", "cyclonedx", "spdx")
"""What `--output` can write."""


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
    "--output",
    "-o",
    "outputs",
    multiple=True,
    metavar="FORMAT[=FILE]",
    help="Write json, or an SBOM: cyclonedx (1.6), spdx (2.3). Without FILE it is printed. May repeat.",
)
@click.pass_obj
def analyze(app: App, image: ImageRef, all_platforms: bool, outputs: tuple[str, ...]) -> None:
    """List what an image holds: packages, files, users, configuration.

    The JSON document is described in docs/analysis.md. Layers that were read before are not read again. An SBOM is of
    the same moment each time that SOURCE_DATE_EPOCH is.
    """
    wanted = _outputs(outputs, printed=app.as_json)
    with app.factory.open(image) as source:
        resolved = app.factory.resolve(source, all_platforms=all_platforms)
        analyses = [app.factory.analyze(each, source) for each in resolved.images]
    document = analyses[0] if len(analyses) == 1 and not all_platforms else analyses
    if wanted:
        from imagegate.cli.check import published_name
        from imagegate.report import write_atomically

        name = published_name(image)
        for kind, file in wanted:
            text = _render(kind, analyses, document, name)
            if file:
                write_atomically(file, text)
            else:
                click.echo(text, nl=False)
    if any(file is None for _, file in wanted):
        return
    if app.as_json:
        app.print_document(document)
    else:
        click.echo("\n\n".join(_summary(analysis) for analysis in analyses))


def _outputs(outputs: tuple[str, ...], *, printed: bool) -> list[tuple[str, Path | None]]:
    """Return formats and files, None for standard output. Raises UsageError before any work is done."""
    pairs: list[tuple[str, Path | None]] = []
    for text in outputs:
        kind, equals, file = text.partition("=")
        if kind not in FORMATS or (equals and not file):
            raise UsageError(f"--output {text!r} is not FORMAT or FORMAT=FILE", hint=f"Formats: {', '.join(FORMATS)}.")
        pairs.append((kind, Path(file) if file else None))
    if sum(file is None for _, file in pairs) + printed > 1:
        raise UsageError("only one document can be printed", hint="Write the others to files, as FORMAT=FILE.")
    return pairs


def _render(kind: str, analyses: Sequence[Analysis], document: object, name: str) -> str:
    """Return a document. Raises UsageError for an SBOM of several images."""
    if kind == "json":
        import msgspec

        return msgspec.json.encode(document).decode() + "\n"
    if len(analyses) != 1:
        raise UsageError(
            f"{kind} is about one image, and this is an index of {len(analyses)}",
            hint="Ask for one with --platform, and write an SBOM of each.",
        )
    render: Callable[[Analysis, str, datetime], str] = import_module(f"imagegate.sbom.write_{kind}").render
    return render(analyses[0], name, _moment())


def _moment() -> datetime:
    """Return now, or the moment that a reproducible build gives. (reproducible-builds.org, SOURCE_DATE_EPOCH.)"""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    try:
        return datetime.fromtimestamp(int(given), UTC) if given else datetime.now(UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(f"SOURCE_DATE_EPOCH is {given[:40]!r}, no number of seconds") from error


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
