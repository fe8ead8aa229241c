"""Bases: what a Dockerfile may be built on, and whether an image was built on what it says. (docs/base-images.md)

Orchestration over the interfaces only. A base counts when it lies in the trusted registry and an allowed role signed
its digest; an image counts as built on a base when its lowest layers are the base's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from imagegate.build.images import ImageUse, Replacement, images, rewrite
from imagegate.dockerfile import Dockerfile
from imagegate.errors import ConfigError, ImageNotFound, InvalidReference, NotTrusted
from imagegate.image.reference import parse
from imagegate.image.resolve import resolve
from imagegate.image.source import ImageSource
from imagegate.model import (
    BaseProof,
    BaseStatus,
    Digest,
    Platform,
    PlatformImage,
    RegistryRef,
    Repository,
    VerifiedTarget,
    parse_digest,
)
from imagegate.settings import Limits, Trusted
from imagegate.trust.signing import Verifier

BASE_NAME = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"
"""OCI image-spec, annotations.md. As labels they are in the config, which the image's digest covers."""

_MOST_ANCESTORS = 32

Open = Callable[[RegistryRef], ImageSource]


class VerifiedBase(msgspec.Struct, frozen=True):
    """An image that a build may take in. reference: with its tag, if any, and always the digest that was signed.

    config_digest: of the platform's own image, which is its id in a Docker engine; role: who signed.
    """

    use: ImageUse
    reference: RegistryRef
    digest: Digest
    config_digest: Digest
    role: str

    @property
    def pinned(self) -> str:
        """`registry/repo@sha256:…`."""
        return f"{self.reference.repository}@{self.digest}"


def verify_bases(
    dockerfile: Dockerfile,
    *,
    build_args: Mapping[str, str],
    target: str,
    platform: Platform,
    trusted: Trusted,
    verifier: Verifier,
    open_source: Open,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> tuple[VerifiedBase, ...]:
    """Return every image that the build takes in, each with the digest that is signed for it now.

    The signed digest decides, not the registry's tag: it is fetched by digest and must be there.
    Raises NotTrusted that lists all images that may not be taken in, BuildError for a Dockerfile that cannot be built,
    and errors of the servers.
    """
    allowed = _Allowed(trusted)
    bases: list[VerifiedBase] = []
    refused: list[str] = []
    for use in images(dockerfile, build_args, target=target, platform=platform):
        try:
            bases.append(_verify(use, allowed, verifier, open_source, limits))
        except (NotTrusted, InvalidReference, ImageNotFound) as error:
            why = f"{error.what}: {error.why}" if error.why else error.what
            refused.append(f"line {use.line}: {use.kind} {use.name}: {why}")
    if refused:
        plural = "s" if len(refused) > 1 else ""
        raise NotTrusted(
            f"{len(refused)} image{plural} of the Dockerfile may not be built on",
            why=refused[0] if len(refused) == 1 else "".join(f"\n  {each}" for each in refused),
            hint=f"Use images that are signed in {trusted.registry}.",
        )
    return tuple(bases)


def pin(dockerfile_text: str, bases: Iterable[VerifiedBase]) -> str:
    """Return the Dockerfile with each image replaced by `registry/repo@sha256:…`; every other byte as it was."""
    return rewrite(dockerfile_text, [Replacement(base.use, base.pinned) for base in bases])


def base_labels(bases: Iterable[VerifiedBase]) -> dict[str, str]:
    """Return the labels by which an image names the base that its last stage stands on, none for `scratch`."""
    final = next((base for base in bases if base.use.final), None)
    if final is None:
        return {}
    tag = f":{final.reference.tag}" if final.reference.tag else ""
    return {BASE_NAME: f"{final.reference.repository}{tag}", BASE_DIGEST: final.digest}


def prove_base(
    image: PlatformImage,
    *,
    trusted: Trusted,
    verifier: Verifier,
    open_source: Open,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> BaseProof:
    """Return how far the base that an image names is proved, as `prove_ancestry` does, and no further."""
    proof, _ = _prove(image, trusted, verifier, open_source, limits)
    return proof


def prove_ancestry(
    image: PlatformImage,
    *,
    trusted: Trusted,
    verifier: Verifier,
    open_source: Open,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> tuple[BaseProof, ...]:
    """Return how far each image is proved that an image was built on: its base, that one's base, and so on.

    The last is the first that is not proved; what is below a base that is not one means nothing. A base is proved by
    the trusted registry, then its signature, then its layers.

    The base may be signed under its tag or, once that has moved on, under any other name of its repository. A "no" is a
    status with its reason. Raises only for what could not be decided: errors of the servers, a base that is signed and
    gone from the registry, wrong settings.
    """
    proofs: list[BaseProof] = []
    at: PlatformImage | None = image
    while at is not None and len(proofs) < _MOST_ANCESTORS:
        proof, at = _prove(at, trusted, verifier, open_source, limits)
        proofs.append(proof)
    return tuple(proofs)


def _prove(
    image: PlatformImage, trusted: Trusted, verifier: Verifier, open_source: Open, limits: Limits
) -> tuple[BaseProof, PlatformImage | None]:
    """Return the proof of an image's base, and the base if it is proved."""
    name, digest_text = _claim(image)
    if not name and not digest_text:
        return BaseProof(BaseStatus.NONE, detail=f"the image has no label {BASE_NAME}"), None
    if not name or not digest_text:
        missing = BASE_DIGEST if name else BASE_NAME
        return BaseProof(BaseStatus.NONE, reference=name, detail=f"the image has no label {missing}"), None
    allowed = _Allowed(trusted)
    try:
        digest = parse_digest(digest_text)
        reference = parse(name)
    except InvalidReference as error:
        return BaseProof(BaseStatus.NONE, reference=name, detail=error.what), None
    if not isinstance(reference, RegistryRef) or (refusal := allowed.refusal(reference.repository)):
        detail = refusal if isinstance(reference, RegistryRef) else f"{name} is in no registry"
        return BaseProof(BaseStatus.UNTRUSTED_REGISTRY, reference=name, digest=digest, detail=detail), None
    try:
        signed = _signed(reference.repository, reference.tag, digest, verifier, trusted.base_roles)
    except NotTrusted as error:
        return BaseProof(BaseStatus.UNSIGNED, reference=name, digest=digest, detail=str(error)), None
    return _compare(image, name, digest, signed, open_source, limits)


def _claim(image: PlatformImage) -> tuple[str, str]:
    """Return the name and digest of the base by the labels, or by the manifest's annotations where there are none."""
    labels = image.config.runtime.labels or {}
    if BASE_NAME in labels or BASE_DIGEST in labels:
        return labels.get(BASE_NAME, ""), labels.get(BASE_DIGEST, "")
    manifest = msgspec.json.decode(image.manifest.raw)
    annotations = manifest.get("annotations") if isinstance(manifest, dict) else None
    found = annotations if isinstance(annotations, dict) else {}
    return str(found.get(BASE_NAME, "")), str(found.get(BASE_DIGEST, ""))


def _compare(
    image: PlatformImage, name: str, digest: Digest, signed: VerifiedTarget, open_source: Open, limits: Limits
) -> tuple[BaseProof, PlatformImage | None]:
    base = _fetch(signed, image.platform, open_source, limits)
    own, below = image.config.rootfs.diff_ids, base.config.rootfs.diff_ids
    detail = ""
    if not below:
        detail = "the base has no layers, so that nothing shows whether it was used"
    elif own[: len(below)] != below:
        same = next((index for index, (a, b) in enumerate(zip(own, below, strict=False)) if a != b), len(own))
        detail = f"layer {same + 1} of the base's {len(below)} is not the image's"
    status = BaseStatus.WRONG_LAYERS if detail else BaseStatus.PROVED
    layers = len(below) if status is BaseStatus.PROVED else 0
    proof = BaseProof(status, reference=name, digest=digest, role=signed.role, detail=detail, layers=layers)
    return proof, base if status is BaseStatus.PROVED else None


def _verify(use: ImageUse, allowed: _Allowed, verifier: Verifier, open_source: Open, limits: Limits) -> VerifiedBase:
    reference = parse(use.name)
    if not isinstance(reference, RegistryRef):
        raise NotTrusted(f"{use.name} is in no registry")
    repository, roles = reference.repository, allowed.trusted.base_roles
    if refusal := allowed.refusal(repository):
        raise NotTrusted(refusal)
    if reference.tag:
        signed = verifier.verify(repository, reference.tag, digest=reference.digest, roles=roles)
    else:
        assert reference.digest  # a reference has a tag, a digest or both
        signed = _signed(repository, "", reference.digest, verifier, roles)
    base = _fetch(signed, use.platform, open_source, limits)
    digest = signed.target.digest
    pinned = RegistryRef(repository, reference.tag, digest)
    return VerifiedBase(use, pinned, digest, base.config_descriptor.digest, signed.role)


def _signed(
    repository: Repository, tag: str, digest: Digest, verifier: Verifier, roles: Sequence[str]
) -> VerifiedTarget:
    """Return the target that signs the digest, the tag's own if there is one. Raises NotTrusted."""
    found = [target for target in verifier.targets(repository, roles=roles) if target.target.digest == digest]
    if not found:
        raise NotTrusted(
            f"{repository}@{digest} is not signed", why=f"no target of {', '.join(roles)} names this digest"
        )
    return next((target for target in found if target.target.name == tag), found[0])


def _fetch(signed: VerifiedTarget, platform: Platform, open_source: Open, limits: Limits) -> PlatformImage:
    """Return the platform's image of a signed digest, as the registry has it."""
    with open_source(RegistryRef(signed.repository, "", signed.target.digest)) as source:
        image = resolve(source, platform=platform, all_platforms=False, limits=limits)
    return image.images[0]


class _Allowed:
    """Where bases may come from."""

    def __init__(self, trusted: Trusted) -> None:
        if not trusted.registry:
            raise ConfigError("no trusted registry is set", hint="Set trusted.registry, or IMAGEGATE_TRUSTED_REGISTRY.")
        self.trusted = trusted
        try:
            self._patterns = [re.compile(pattern) for pattern in trusted.bases]
        except re.error as error:
            raise ConfigError("trusted.bases has an invalid regular expression", why=str(error)) from error

    def refusal(self, repository: Repository) -> str:
        """Return why a repository's images may not be bases, empty when they may."""
        if repository.registry != self.trusted.registry:
            return f"{repository} is not in the trusted registry {self.trusted.registry}"
        if self._patterns and not any(pattern.fullmatch(str(repository)) for pattern in self._patterns):
            return f"{repository} is not among the allowed bases (trusted.bases)"
        return ""
