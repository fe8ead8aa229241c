"""`imagegate sign` and `imagegate verify`."""

from __future__ import annotations

import click

from imagegate.cli.app import App, titled
from imagegate.cli.options import IMAGE
from imagegate.errors import NotTrusted, UsageError
from imagegate.model import ImageRef, RegistryRef, Target


@click.command()
@click.argument("image", type=IMAGE, metavar="REGISTRY/REPO:TAG[@SHA256:...]")
@click.option("--tag", "tags", multiple=True, help="Tag to sign it as. May repeat. Default: the reference's own.")
@click.option("--overwrite-tag", is_flag=True, help="Let a signed tag move to this image.")
@click.pass_obj
def sign(app: App, image: ImageRef, tags: tuple[str, ...], overwrite_tag: bool) -> None:
    """Sign what is in the trusted registry already.

    No policy is evaluated: `gate` is the way to promote an image. Nothing is tagged.
    """
    reference = _registry_reference(image)
    names = tags or ((reference.tag,) if reference.tag else ())
    if not names:
        raise UsageError(f"no tag to sign {reference} as", hint="Give one with --tag.")
    app.factory.require_trusted(reference.repository)
    with app.factory.open(reference) as source:
        manifest = source.resolve().descriptor
    targets = [Target(name, manifest.digest, manifest.size) for name in dict.fromkeys(names)]
    receipt = app.factory.signer().sign(reference.repository, targets, replace=overwrite_tag)
    verified = app.factory.verifier().verify_all(reference.repository, targets)
    app.answer(
        titled("signature", {"receipt": receipt, "verified": verified}),
        lambda: "\n".join(
            f"signed    {each.repository}:{each.target.name} as {each.target.digest} by {each.role}"
            for each in verified
        ),
    )


@click.command()
@click.argument("image", type=IMAGE, metavar="REGISTRY/REPO:TAG[@SHA256:...]")
@click.option("--role", "roles", multiple=True, help="Role whose word counts. May repeat; the first that has the tag.")
@click.pass_obj
def verify(app: App, image: ImageRef, roles: tuple[str, ...]) -> None:
    """Verify a tag's signature as a consumer would, and that the registry's tag is what was signed.

    With a digest in the reference, that digest must be the signed one.
    """
    reference = _registry_reference(image)
    if not reference.tag:
        raise UsageError(f"no tag in {reference}", hint="Signatures are by tag: registry/repo:tag.")
    found = app.factory.verifier().verify(reference.repository, reference.tag, digest=reference.digest, roles=roles)
    tagged = app.factory.destination(reference.repository).tagged(reference.tag)
    if tagged != found.target.digest:
        raise NotTrusted(
            f"{reference.repository}:{reference.tag} is not what was signed",
            why=f"signed is {found.target.digest}, " + (f"the tag is {tagged}" if tagged else "there is no such tag"),
            hint="Pull it by the signed digest, or find out who moved the tag.",
        )
    until = f", valid until {found.expires:%Y-%m-%d}" if found.expires else ""
    name = f"{reference.repository}:{reference.tag}"
    app.answer(
        titled("verification", {"verified": found}),
        lambda: f"verified  {name} is {found.target.digest}, signed by {found.role}{until}",
    )


def _registry_reference(image: ImageRef) -> RegistryRef:
    if not isinstance(image, RegistryRef):
        raise UsageError(f"{image} is in no registry", hint="Signatures are of registry/repo:tag.")
    return image
