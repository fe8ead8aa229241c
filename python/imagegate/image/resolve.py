"""From a reference to values by digest: the one look at a tag, and everything that a hostile manifest may try.

(OCI image-spec manifest.md, image-index.md, config.md; Docker "Image Manifest V 2, Schema 2".)
"""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar

import msgspec

from imagegate.errors import ImageNotFound, InvalidImage, InvalidReference, LimitExceeded
from imagegate.image.source import ImageSource
from imagegate.model import (
    Descriptor,
    Digest,
    ImageConfig,
    Layer,
    Manifest,
    Platform,
    PlatformImage,
    ResolvedImage,
    parse_digest,
)
from imagegate.settings import Limits

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})

LAYERS = frozenset(
    {
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
    }
)
"""Layers that can be read and copied. What is not in it, such as layers that stay with their vendor, is refused."""

_Document = TypeVar("_Document")

_ATTESTATION = "vnd.docker.reference.type"
_DEFAULT_VARIANTS = {"arm64": "v8", "arm": "v7"}


class _ManifestDocument(msgspec.Struct, rename="camel"):
    schema_version: int
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] | None = None
    manifests: tuple[Descriptor, ...] | None = None
    media_type: str = ""
    fs_layers: Any = None


def resolve(source: ImageSource, *, platform: Platform, all_platforms: bool, limits: Limits) -> ResolvedImage:
    """Return what the source's reference names now, everything below it fetched and checked.

    Of an index, the image for `platform` is taken, and is the root; with all_platforms the index is the root, and all
    its images are taken. Raises ImageNotFound, InvalidImage, DigestMismatch, LimitExceeded.
    """
    root = source.resolve()
    walk = _Walk(source, limits)
    document = walk.read(root)
    if document.manifests is None:
        image = walk.image(root, document)
        return ResolvedImage(source.ref, root, (image,))
    leaves = walk.leaves(root, document, depth=1)
    if all_platforms:
        images = tuple(
            walk.image(manifest, walk.read(manifest), entry.platform)
            for entry, manifest in leaves
            if not _is_attestation(entry)
        )
        if not images:
            raise ImageNotFound(f"{source.ref} is an index of no images")
        return ResolvedImage(source.ref, root, images, tuple(walk.below))
    entry, manifest = _choose(source, leaves, platform)
    return ResolvedImage(source.ref, manifest, (walk.image(manifest, walk.read(manifest), entry.platform),))


class _Walk:
    """One walk from a root. below: every manifest met, those that others name first."""

    def __init__(self, source: ImageSource, limits: Limits) -> None:
        self._source, self._limits = source, limits
        self._entries = 0
        self._seen: set[str] = set()
        self.below: list[Manifest] = []

    def read(self, manifest: Manifest) -> _ManifestDocument:
        """Parse a manifest or an index, and refuse one that could be read as either."""
        what = f"the manifest {manifest.descriptor.digest}"
        if len(manifest.raw) > self._limits.manifest_size:
            raise LimitExceeded(
                f"{what} is larger than {self._limits.manifest_size} bytes",
                hint="Raise limits.manifest_size if it is meant.",
            )
        document = _decode(manifest.raw, _ManifestDocument, what)
        if document.schema_version != 2 or document.fs_layers is not None:
            raise InvalidImage(
                f"{what} has schema version {document.schema_version}", hint="Push the image with a newer tool."
            )
        is_index, is_image = document.manifests is not None, document.layers is not None or document.config is not None
        stated = {document.media_type, manifest.descriptor.media_type} - {""}
        if is_index == is_image or len(stated & (INDEXES | MANIFESTS)) > 1:
            raise InvalidImage(f"{what} can be read both as an image and as an index", why=" and ".join(sorted(stated)))
        if not stated <= (INDEXES if is_index else MANIFESTS):
            raise InvalidImage(f"{what} is of a type that is not known", why=" and ".join(sorted(stated)))
        return document

    def leaves(self, index: Manifest, document: _ManifestDocument, *, depth: int) -> list[tuple[Descriptor, Manifest]]:
        """Return the image manifests of an index and of the indexes in it, within the limits."""
        if depth > self._limits.index_depth:
            raise LimitExceeded(
                f"indexes lie {depth} deep in each other", hint="Raise limits.index_depth if it is meant."
            )
        found: list[tuple[Descriptor, Manifest]] = []
        for entry in document.manifests or ():
            self._entries += 1
            if self._entries > self._limits.index_entries:
                raise LimitExceeded(
                    f"{index.descriptor.digest} has over {self._limits.index_entries} entries",
                    hint="Raise limits.index_entries if it is meant.",
                )
            if entry.digest in self._seen:
                continue
            self._seen.add(entry.digest)
            _require_digest(entry.digest, f"the index {index.descriptor.digest}")
            manifest = self._fetch(entry)
            if entry.media_type in INDEXES:
                found += self.leaves(manifest, self.read(manifest), depth=depth + 1)
            else:
                found.append((entry, manifest))
            self.below.append(manifest)
        return found

    def _fetch(self, entry: Descriptor) -> Manifest:
        if entry.media_type not in INDEXES | MANIFESTS:
            raise InvalidImage(f"the index entry {entry.digest} is of a type that is not known", why=entry.media_type)
        manifest = self._source.manifest(entry)
        if len(manifest.raw) != entry.size:
            raise InvalidImage(
                f"the manifest {entry.digest} has {len(manifest.raw)} bytes, its index says {entry.size}"
            )
        # The entry's media type is signed with the index; what a server says of the bytes is not.
        return Manifest(Descriptor(entry.media_type, entry.digest, entry.size), manifest.raw)

    def image(self, manifest: Manifest, document: _ManifestDocument, stated: Platform | None = None) -> PlatformImage:
        """Return an image with its config, and refuse layers that cannot be read, copied or told apart."""
        what = f"the image {manifest.descriptor.digest}"
        if document.config is None or document.layers is None:
            raise InvalidImage(f"{what} has no config or no layers")
        _require_digest(document.config.digest, what)
        if len(document.layers) > self._limits.layers:
            raise LimitExceeded(
                f"{what} has over {self._limits.layers} layers", hint="Raise limits.layers if it is meant."
            )
        for layer in document.layers:
            _require_digest(layer.digest, what)
            if layer.media_type not in LAYERS or layer.size < 0:
                raise InvalidImage(
                    f"{what} has a layer that cannot be read",
                    why=f"{layer.digest} is {layer.media_type}",
                    hint="Layers must be tar, plain or compressed by gzip or zstd, and be stored with the image.",
                )
        raw = self._config(document.config, what)
        config = _decode(raw, ImageConfig, f"the config of {what}")
        diff_ids = config.rootfs.diff_ids
        if len(diff_ids) != len(document.layers):
            raise InvalidImage(f"{what} has {len(document.layers)} layers, its config names {len(diff_ids)}")
        platform = Platform(config.os or "linux", config.architecture or "unknown", config.variant)
        if stated and (stated.os, stated.architecture) != (platform.os, platform.architecture):
            raise InvalidImage(f"{what} is for {platform}, its index says {stated}")
        layers = tuple(
            Layer(descriptor, _require_digest(diff_id, what))
            for descriptor, diff_id in zip(document.layers, diff_ids, strict=True)
        )
        return PlatformImage(manifest, platform, config, document.config, raw, layers)

    def _config(self, descriptor: Descriptor, what: str) -> bytes:
        if descriptor.size > self._limits.config_size:
            raise LimitExceeded(
                f"the config of {what} is larger than {self._limits.config_size} bytes",
                hint="Raise limits.config_size if it is meant.",
            )
        with self._source.open_blob(descriptor) as stream:
            return b"".join(iter(lambda: stream.read(65536), b""))


def _decode(raw: bytes, kind: type[_Document], what: str) -> _Document:
    try:
        _refuse_twice_named(raw, what)
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InvalidImage(f"{what} is not valid", why=str(error)[:300]) from error


def _require_digest(text: str, what: str) -> Digest:
    try:
        return parse_digest(text)
    except InvalidReference as error:
        raise InvalidImage(f"{what} names content by what is no digest", why=repr(text[:80])) from error


def _refuse_twice_named(raw: bytes, what: str) -> None:
    """Refuse a document in which a key stands twice: two readers could take it for two different images."""
    import json

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            raise InvalidImage(f"{what} names a key twice", why="two readers could take it for two different images")
        return members

    json.loads(raw, object_pairs_hook=once)


def _is_attestation(entry: Descriptor) -> bool:
    """Whether an entry is about an image rather than an image: BuildKit stores provenance so."""
    unknown = entry.platform is not None and entry.platform.os == "unknown"
    return unknown or _ATTESTATION in entry.annotations


def _choose(
    source: ImageSource, leaves: list[tuple[Descriptor, Manifest]], wanted: Platform
) -> tuple[Descriptor, Manifest]:
    images = [(entry, manifest) for entry, manifest in leaves if not _is_attestation(entry)]
    for exact in (True, False):
        for entry, manifest in images:
            if entry.platform and _matches(entry.platform, wanted, exact=exact):
                return entry, manifest
    there = ", ".join(sorted({str(entry.platform) for entry, _ in images if entry.platform})) or "none"
    raise ImageNotFound(
        f"{source.ref} has no image for {wanted}",
        why=f"it has {there}",
        hint="Choose one with --platform, or --all-platforms.",
    )


def _matches(offered: Platform, wanted: Platform, *, exact: bool) -> bool:
    if (offered.os, offered.architecture) != (wanted.os, wanted.architecture):
        return False
    default = _DEFAULT_VARIANTS.get(wanted.architecture, "")
    if (offered.variant or default) == (wanted.variant or default):
        return True
    return not exact and not wanted.variant


def check_digest(raw: bytes, digest: str) -> bool:
    """Whether bytes have a digest."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}" == digest
