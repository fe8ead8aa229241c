"""`imagegate gate` and `imagegate promote`: the whole straight line."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from imagegate.cli.app import App
from imagegate.cli.options import IMAGE, output_option, platform_options, policy_options, split_outputs
from imagegate.cli.recorder import Recorder
from imagegate.cli.verdict import EXIT_CODES, Witness, publish
from imagegate.errors import UsageError
from imagegate.gate import Outcome, Promotion, Stages
from imagegate.gate import gate as run_gate
from imagegate.model import ImageRef, RegistryRef, Repository, Verdict


@click.command()
@click.argument("image", type=IMAGE)
@click.option(
    "--to",
    "to",
    required=True,
    metavar="[REGISTRY/]REPO",
    help="The repository of the trusted registry to promote into.",
)
@click.option("--tag", "tags", multiple=True, help="Tag to give. May repeat. Default: the image's own tag.")
@policy_options
@platform_options
@click.option("--overwrite-tag", is_flag=True, help="Let a released tag move to this image.")
@click.option("--dry-run", is_flag=True, help="Stop after the verdict: copy, sign and tag nothing.")
@click.option(
    "--staging",
    metavar="REGISTRY[/PATH]",
    help="Copy what passes there, and sign nothing: for the job that holds the key.",
)
@output_option
@click.pass_obj
def gate(
    app: App,
    image: ImageRef,
    to: str,
    tags: tuple[str, ...],
    dockerfile: Path | None,
    all_platforms: bool,
    overwrite_tag: bool,
    dry_run: bool,
    staging: str | None,
    outputs: tuple[str, ...],
) -> int:
    """Evaluate an image; if it passes, copy it by digest, sign it, verify it and, last, tag it.

    IMAGE is registry/repo:tag, registry/repo@sha256:..., docker-daemon:NAME, oci:DIR[:ref] or docker-archive:FILE. A
    tag is resolved once; from then on everything is addressed by digest.
    """
    promotion = Promotion(app.factory.trusted_repository(to), _tags(image, tags), overwrite_tag)
    waiting = None if staging is None else app.factory.staging_repository(staging, promotion.repository)
    return _run(app, image, promotion, dockerfile, all_platforms, outputs, dry_run=dry_run, staging=waiting)


@click.command()
@click.argument("image", type=IMAGE, metavar="REGISTRY/REPO@SHA256:...")
@click.option(
    "--to",
    "to",
    metavar="[REGISTRY/]REPO",
    help="The repository of the trusted registry to promote into. Default: the same path.",
)
@click.option(
    "--from", "origin", metavar="REGISTRY[/PATH]", help="Refuse an image that is not there; PATH is no part of --to."
)
@click.option("--tag", "tags", multiple=True, help="Tag to give. May repeat.")
@policy_options
@platform_options
@click.option("--overwrite-tag", is_flag=True, help="Let a released tag move to this image.")
@output_option
@click.pass_obj
def promote(
    app: App,
    image: ImageRef,
    to: str | None,
    origin: str | None,
    tags: tuple[str, ...],
    dockerfile: Path | None,
    all_platforms: bool,
    overwrite_tag: bool,
    outputs: tuple[str, ...],
) -> int:
    """Gate an image that is named by its digest.

    For the job that holds the signing key and is told a digest by somebody else. It always evaluates: what others say
    about an image is no evidence, and the cache makes it cheap. An index is promoted whole, unless --platform takes one
    image of it. With --from, and no --to, the job can be told an image
    and tags by anybody: whoever may push into a repository there may ask for it to be promoted, to nowhere else.
    """
    if not isinstance(image, RegistryRef) or image.digest is None:
        raise UsageError(
            f"promote takes an image by digest, and {image} has none",
            hint="Use registry/repo@sha256:..., as `gate` and `check` print it.",
        )
    path = _path_below(origin, image.repository) if origin else image.repository.name
    promotion = Promotion(app.factory.trusted_repository(to or path), _tags(image, tags), overwrite_tag)
    # The digest that was asked for is the one to promote: an index whole, unless one of its platforms is asked for.
    whole = all_platforms or "platform" not in app.flags
    return _run(app, image, promotion, dockerfile, whole, outputs)


def _run(
    app: App,
    image: ImageRef,
    promotion: Promotion,
    dockerfile: Path | None,
    all_platforms: bool,
    outputs: tuple[str, ...],
    *,
    dry_run: bool = False,
    staging: Repository | None = None,
) -> int:
    reports = split_outputs(outputs)
    factory = app.factory
    factory.require_trusted(promotion.repository)
    if not dry_run and not staging:
        factory.signer()  # what is wrong with keys and settings is told now, not after the scan
    recorder = Recorder(app, os.environ)
    judge = Witness(recorder.watching(factory.judge(dockerfile)))
    stages = Stages(
        open=factory.open_pushable,
        resolve=lambda source: factory.resolve(source, all_platforms=all_platforms),
        judge=judge,
        announce=judge.announce,
        destination=factory.destination,
        signer=factory.signer,
        verifier=factory.verifier,
        progress=app.progress,
        clock=lambda: datetime.now(UTC),
    )
    outcome = run_gate(image, promotion, stages, dry_run=dry_run, staging=staging)
    unrecorded = recorder.record(outcome, judge.judgements)
    next_step = _next_step(outcome, promotion, dry_run)
    publish(app, judge, reports, dockerfile=dockerfile, next_step=next_step, outcome=outcome)
    if unrecorded:
        raise unrecorded
    return EXIT_CODES[outcome.verdict]


def _path_below(origin: str, repository: Repository) -> str:
    """Return the path of a repository below `registry[/path]`. Raises UsageError when it is not there."""
    prefix = f"{origin.rstrip('/')}/"
    if not str(repository).startswith(prefix):
        raise UsageError(f"{repository} is not in {origin}", hint="Only what was staged there is promoted by this job.")
    return str(repository).removeprefix(prefix)


def _tags(image: ImageRef, tags: tuple[str, ...]) -> tuple[str, ...]:
    from imagegate.image.reference import parse_tag

    if tags:
        return tuple(dict.fromkeys(parse_tag(tag) for tag in tags))
    if isinstance(image, RegistryRef) and image.tag:
        return (image.tag,)
    raise UsageError(f"no tag to promote {image} under", hint="Give one with --tag.")


def _next_step(outcome: Outcome, promotion: Promotion, dry_run: bool) -> str:
    names = ", ".join(f"{promotion.repository}:{tag}" for tag in promotion.tags)
    if outcome.record:
        roles = ", ".join(dict.fromkeys(signature.role for signature in outcome.record.signatures))
        return f"promoted: {names} is {outcome.record.digest}, signed by {roles}, verified and tagged."
    if outcome.staged:
        return f"staged: {outcome.staged} is to be promoted as {names}; nothing was signed."
    if outcome.verdict is Verdict.PASS and dry_run:
        return f"dry run: it would be promoted as {names}; nothing was copied, signed or tagged."
    return "nothing was copied, signed or tagged."
