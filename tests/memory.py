"""In-memory stand-ins for the servers: the production interfaces, with a journal of what was done in which order."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, BinaryIO, Self

import msgspec

from imagegate.errors import ImageNotFound, NotTrusted, TagConflict
from imagegate.model import (
    Descriptor,
    Digest,
    ImageConfig,
    ImageRef,
    Layer,
    Manifest,
    Platform,
    PlatformImage,
    Repository,
    ResolvedImage,
    Target,
    VerifiedTarget,
)
from imagegate.progress import Progress
from imagegate.registry.destination import CopyReport
from imagegate.trust.signing import SignReceipt, superseded_name

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def describe(raw: bytes, media_type: str) -> Descriptor:
    """Return the descriptor of some bytes."""
    return Descriptor(media_type, Digest("sha256:" + hashlib.sha256(raw).hexdigest()), len(raw))


def make_image(marker: str = "one") -> tuple[PlatformImage, dict[Digest, bytes]]:
    """Return an image whose only layer is the marker, and its blobs."""
    layer = marker.encode()
    layer_descriptor = describe(layer, LAYER)
    document: dict[str, Any] = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer_descriptor.digest]},
    }
    config = json.dumps(document).encode()
    config_descriptor = describe(config, CONFIG)
    manifest = msgspec.json.encode(
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": config_descriptor, "layers": [layer_descriptor]}
    )
    image = PlatformImage(
        manifest=Manifest(describe(manifest, MANIFEST), manifest),
        platform=Platform(),
        config=msgspec.json.decode(config, type=ImageConfig),
        config_descriptor=config_descriptor,
        config_raw=config,
        layers=(Layer(layer_descriptor, layer_descriptor.digest),),
    )
    return image, {config_descriptor.digest: config, layer_descriptor.digest: layer}


class MemorySource:
    """An ImageSource of one image whose tag can be moved."""

    def __init__(self, ref: ImageRef, image: PlatformImage, blobs: dict[Digest, bytes]) -> None:
        self.ref, self.image, self.blobs = ref, image, blobs
        self.resolved = 0

    def resolve(self) -> Manifest:
        self.resolved += 1
        return self.image.manifest

    def manifest(self, descriptor: Descriptor) -> Manifest:
        if descriptor.digest != self.image.digest:
            raise ImageNotFound(f"no manifest {descriptor.digest}")
        return self.image.manifest

    def open_blob(self, descriptor: Descriptor) -> BinaryIO:
        return io.BytesIO(self.blobs[descriptor.digest])

    def close(self) -> None:
        """Nothing to give back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def resolve_image(self) -> ResolvedImage:
        """What `image.resolve.resolve` would make of it."""
        return ResolvedImage(self.ref, self.resolve(), (self.image,))


class MemoryRegistry:
    """A Destination that writes down in the journal what it did."""

    def __init__(self, repository: Repository, journal: list[str]) -> None:
        self.repository, self.journal = repository, journal
        self.manifests: dict[Digest, bytes] = {}
        self.tags: dict[str, Digest] = {}

    def tagged(self, tag: str) -> Digest | None:
        return self.tags.get(tag)

    def copy(self, source: Any, image: ResolvedImage, progress: Progress) -> CopyReport:
        self.journal.append(f"copy {image.digest}")
        self.manifests[image.digest] = image.root.raw
        return CopyReport(1, 0, 0, len(image.root.raw))

    def tag(self, manifest: Manifest, tag: str) -> None:
        assert manifest.descriptor.digest in self.manifests, "tagged before it was copied"
        self.journal.append(f"tag {tag}")
        self.tags[tag] = manifest.descriptor.digest


class MemoryNotary:
    """A Signer and Verifier."""

    def __init__(self, journal: list[str]) -> None:
        self.journal = journal
        self.signed: dict[tuple[Repository, str], Target] = {}

    def sign(self, repository: Repository, targets: Sequence[Target], *, replace: bool = False) -> SignReceipt:
        for target in targets:
            present = self.signed.get((repository, target.name))
            if present and present.digest != target.digest:
                if not replace:
                    raise TagConflict(f"{target.name} is signed as {present.digest}")
                kept = superseded_name(present)
                self.signed[repository, kept] = Target(kept, present.digest, present.length)
        for target in targets:
            self.journal.append(f"sign {target.name}")
            self.signed[repository, target.name] = target
        return SignReceipt(repository, tuple(targets), ("targets",), False, 1)

    def find(self, repository: Repository, name: str) -> VerifiedTarget | None:
        target = self.signed.get((repository, name))
        return VerifiedTarget(repository, target, "targets") if target else None

    def verify(
        self, repository: Repository, tag: str, *, digest: Digest | None = None, roles: Sequence[str] = ()
    ) -> VerifiedTarget:
        found = self.find(repository, tag)
        if not found or (digest and found.target.digest != digest):
            raise NotTrusted(f"{repository}:{tag} is not signed as {digest}")
        self.journal.append(f"verify {tag}")
        return found

    def verify_all(self, repository: Repository, targets: Sequence[Target]) -> tuple[VerifiedTarget, ...]:
        return tuple(self.verify(repository, target.name, digest=target.digest) for target in targets)

    def targets(self, repository: Repository, *, roles: Sequence[str] = ()) -> tuple[VerifiedTarget, ...]:
        return tuple(
            VerifiedTarget(repository, target, "targets")
            for (where, _), target in self.signed.items()
            if where == repository
        )


NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
