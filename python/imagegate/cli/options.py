"""Options and argument types that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from imagegate.model import ImageRef

Verb = TypeVar("Verb", bound=Callable[..., Any])


class ReferenceType(click.ParamType[Any]):
    """`registry/repo:tag`, `…@sha256:…`, `docker-daemon:NAME`, `oci:DIR[:ref]`, `docker-archive:FILE`, `sbom:FILE`."""

    name = "image"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> ImageRef:  # noqa: ARG002
        from imagegate.image.reference import parse

        return parse(value) if isinstance(value, str) else value


IMAGE = ReferenceType()


def setting(*names: str, key: str, help: str, **options: Any) -> Callable[[Verb], Verb]:  # noqa: A002 - click's word
    """Return an option that is a setting: it joins the layers as the flag of `key`, so that locks hold for it."""

    def take(ctx: click.Context, param: click.Parameter, value: Any) -> Any:  # noqa: ARG001 - click's signature
        ctx.obj.set_flags({key: (list(value) or None) if isinstance(value, tuple) else value})
        return value

    return click.option(*names, callback=take, expose_value=False, help=help, **options)


def platform_options(verb: Verb) -> Verb:
    """`--platform` and `--all-platforms`."""
    verb = click.option("--all-platforms", is_flag=True, help="Take every platform of an index; all must pass.")(verb)
    return setting("--platform", key="platform", metavar="OS/ARCH[/VARIANT]", help="The platform of an index to take.")(
        verb
    )


def policy_options(verb: Verb) -> Verb:
    """`--policy`, `--waivers`, `--vex`, `--dockerfile` and `--compat`."""
    verb = click.option(
        "--dockerfile",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="The Dockerfile that the image was built from.",
    )(verb)
    verb = setting(
        "--compat",
        key="policy.compat",
        type=click.Choice(["strict", "engine"]),
        help="engine: repeat the quirks of Anchore Engine.",
    )(verb)
    verb = setting(
        "--vex",
        key="policy.vex",
        multiple=True,
        metavar="FILE",
        help="VEX documents (OpenVEX, CycloneDX): findings that do not count, because of what they say. May repeat.",
    )(verb)
    verb = setting(
        "--waivers",
        key="policy.waivers",
        multiple=True,
        metavar="FILE",
        help="Findings that are let through, by whom, why and until when. May repeat.",
    )(verb)
    return setting(
        "--policy",
        key="policy.bundle",
        metavar="NAME|FILE",
        help="Policy document: a file, or the name of a shipped one.",
    )(verb)


def output_option(verb: Verb) -> Verb:
    """`--output FORMAT=FILE`, which may repeat."""
    return click.option(
        "--output",
        "-o",
        "outputs",
        multiple=True,
        metavar="FORMAT=FILE",
        help="Write a report: html (with a stylesheet beside it), json, junit, markdown, sarif, text, warnings-ng, "
        "openvex, cyclonedx-vex, or anchore-report=DIRECTORY. May repeat.",
    )(verb)


def split_arguments(pairs: tuple[str, ...]) -> dict[str, str]:
    """Return NAME=VALUE pairs; NAME alone takes its value from the environment, as `docker build` does."""
    import os

    from imagegate.errors import UsageError

    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name:
            raise UsageError(f"{pair!r} is not NAME=VALUE")
        if not equals and name not in os.environ:
            raise UsageError(f"{name} has no value", hint="Write NAME=VALUE, or set it in the environment.")
        found[name] = value if equals else os.environ[name]
    return found


def split_outputs(outputs: tuple[str, ...]) -> tuple[tuple[str, Path], ...]:
    """Return FORMAT=FILE pairs. Raises UsageError for a format that there is not, before any work is done."""
    from difflib import get_close_matches

    from imagegate.errors import UsageError
    from imagegate.report import FOLDER, FORMATS

    known = [*FORMATS, FOLDER]
    pairs = []
    for text in outputs:
        name, equals, file = text.partition("=")
        if not equals or not file:
            raise UsageError(f"--output {text!r} is not FORMAT=FILE", hint=f"Formats: {', '.join(known)}.")
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Formats: {', '.join(known)}."
            raise UsageError(f"--output: there is no format {name!r}", hint=hint)
        pairs.append((name, Path(file)))
    return tuple(pairs)
