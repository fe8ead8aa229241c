"""Images as their manifests and configs say them."""

from __future__ import annotations

from typing import Any

import msgspec

from imagegate.model.reference import Descriptor, Digest, ImageRef, Platform


class Manifest(msgspec.Struct, frozen=True):
    """A manifest or an index with the exact bytes that have its digest. The bytes are never rewritten."""

    descriptor: Descriptor
    raw: bytes


class HealthCheck(msgspec.Struct, frozen=True, rename="pascal", omit_defaults=True):
    """`Healthcheck` of an image's config (a Docker extension); durations in nanoseconds."""

    test: tuple[str, ...] | None = ()
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    retries: int = 0


class RuntimeConfig(msgspec.Struct, frozen=True, rename="pascal", omit_defaults=True):
    """`config` of an image's config. (OCI image-spec, config.md.) `None` stands for JSON null and for absence."""

    user: str | None = None
    exposed_ports: dict[str, Any] | None = None
    env: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    volumes: dict[str, Any] | None = None
    working_dir: str | None = None
    labels: dict[str, str] | None = None
    stop_signal: str | None = None
    healthcheck: HealthCheck | None = None
    on_build: tuple[str, ...] | None = None
    shell: tuple[str, ...] | None = None


class HistoryEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step of an image's history. (OCI image-spec, config.md, `history`.)"""

    created: str | None = None
    created_by: str | None = None
    author: str | None = None
    comment: str | None = None
    empty_layer: bool | None = None


class RootFS(msgspec.Struct, frozen=True):
    """The uncompressed layers' digests, bottom first."""

    type: str = "layers"
    diff_ids: tuple[Digest, ...] = ()


class ImageConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """An image's config document. (OCI image-spec, config.md.)"""

    architecture: str = ""
    os: str = ""
    variant: str = ""
    created: str | None = None
    author: str | None = None
    config: RuntimeConfig | None = None
    rootfs: RootFS = RootFS()
    history: tuple[HistoryEntry, ...] | None = None

    @property
    def runtime(self) -> RuntimeConfig:
        """`config`, or an empty one where the document has none."""
        return self.config or RuntimeConfig()


class Layer(msgspec.Struct, frozen=True):
    """One layer of an image: its blob, and the digest of its uncompressed tar."""

    descriptor: Descriptor
    diff_id: Digest


class PlatformImage(msgspec.Struct, frozen=True):
    """One runnable image: manifest, config and layers, all named by digest and checked against it."""

    manifest: Manifest
    platform: Platform
    config: ImageConfig
    config_descriptor: Descriptor
    config_raw: bytes
    layers: tuple[Layer, ...]

    @property
    def digest(self) -> Digest:
        return self.manifest.descriptor.digest


class ResolvedImage(msgspec.Struct, frozen=True):
    """What a reference named at the one moment that it was resolved.

    root: what gets copied, signed and tagged: an index when all platforms were asked for, else one image's manifest.
    images: the images to be evaluated. manifests: every manifest below root (root excluded), for copying.
    """

    ref: ImageRef
    root: Manifest
    images: tuple[PlatformImage, ...]
    manifests: tuple[Manifest, ...] = ()

    @property
    def digest(self) -> Digest:
        return self.root.descriptor.digest
