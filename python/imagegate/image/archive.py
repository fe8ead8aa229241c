"""Images out of a docker archive: what `docker save` writes, of old engines and of new ones, and what builders write.

An archive has no manifest in a registry's sense. One is made: the config's bytes as they are, and the layers as they
lie there. Plain tars have their diff ids for digests; engines with containerd's image store, crane and bazel write
compressed ones. `repack` turns it into what a registry takes.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, Self, cast

import msgspec

from imagegate.errors import ImageNotFound, InvalidImage, LimitExceeded
from imagegate.image.resolve import OCI_MANIFEST
from imagegate.image.verify import VerifiedStream
from imagegate.model import ArchiveRef, DaemonRef, Descriptor, Digest, ImageConfig, Manifest, parse_digest
from imagegate.settings import Limits

OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
PLAIN_LAYER = "application/vnd.oci.image.layer.v1.tar"
_COMPRESSED = {
    b"\x1f\x8b": "application/vnd.oci.image.layer.v1.tar+gzip",
    b"\x28\xb5\x2f\xfd": "application/vnd.oci.image.layer.v1.tar+zstd",
}
"""How a compressed layer begins, and its media type. (RFC 1952, 2.3.1; RFC 8878, 3.1.1; OCI image-spec, layer.md.)"""
_DIGEST_IN_NAME = re.compile(r"(?:^blobs/sha256/|^(?:sha256:)?)([0-9a-f]{64})(?:\.tar\.(?:gz|zst))?\Z")
_CHUNK = 1024 * 1024
ANNOTATION_PREFIX = "org.opencontainers.image."
"""Labels of this prefix become annotations of the manifest: OCI defines them for both. (image-spec, annotations.md.)"""


class _Entry(msgspec.Struct, rename="pascal"):
    """One image of `manifest.json`. (docker image-spec v1.2, "Combined Image JSON + Filesystem Changeset Format".)"""

    config: str
    layers: tuple[str, ...]
    repo_tags: tuple[str, ...] | None = None


class ArchiveSource:
    """An ImageSource over `docker-archive:FILE[:name]`. Members are read in place; nothing is unpacked."""

    def __init__(self, ref: ArchiveRef | DaemonRef, limits: Limits, file: Path | None = None) -> None:
        """file: where the archive is, when the reference does not say."""
        self.ref = ref
        self._limits = limits
        self._file = file or Path(getattr(ref, "path", ""))
        self._members: dict[str, tuple[int, int]] | None = None
        self._where: dict[Digest, str] = {}
        self._config = b""

    def resolve(self) -> Manifest:
        """Return a manifest made of the archive's image."""
        entry = self._entry()
        self._config = self._read(entry.config, self._limits.config_size)
        try:
            config = msgspec.json.decode(self._config, type=ImageConfig)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidImage(f"{self.ref}: the config is not valid", why=str(error)) from error
        diff_ids = config.rootfs.diff_ids
        if len(diff_ids) != len(entry.layers):
            raise InvalidImage(f"{self.ref} has {len(entry.layers)} layers, its config names {len(diff_ids)}")
        layers = [
            self._layer(name, parse_digest(diff_id)) for diff_id, name in zip(diff_ids, entry.layers, strict=True)
        ]
        self._where = {layer.digest: name for layer, name in zip(layers, entry.layers, strict=True)}
        return make_manifest(self._config, config, layers)

    def manifest(self, descriptor: Descriptor) -> Manifest:
        """There is one manifest only, and `resolve` gives it."""
        raise ImageNotFound(f"{self.ref} has no manifest {descriptor.digest}")

    def open_blob(self, descriptor: Descriptor) -> BinaryIO:
        """Open the config or a layer."""
        if descriptor.digest not in self._where:
            return cast(BinaryIO, VerifiedStream(io.BytesIO(self._config), descriptor))
        return cast(BinaryIO, VerifiedStream(self._open(self._where[descriptor.digest]), descriptor))

    def close(self) -> None:
        """Nothing is held open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _layer(self, name: str, diff_id: Digest) -> Descriptor:
        """Return a layer's descriptor. Its digest is a claim until the layer has been read to its end."""
        with self._open(name) as stream:
            magic = stream.read(4)
        compressed = next((kind for start, kind in _COMPRESSED.items() if magic.startswith(start)), "")
        if not compressed:
            return Descriptor(PLAIN_LAYER, diff_id, self._size(name))
        named = _DIGEST_IN_NAME.search(name)
        return Descriptor(compressed, Digest(f"sha256:{named[1]}") if named else self._hash(name), self._size(name))

    def _hash(self, name: str) -> Digest:
        with self._open(name) as stream:
            found = hashlib.sha256()
            while chunk := stream.read(_CHUNK):
                found.update(chunk)
        return Digest(f"sha256:{found.hexdigest()}")

    def _entry(self) -> _Entry:
        try:
            entries = msgspec.json.decode(
                self._read("manifest.json", self._limits.manifest_size), type=tuple[_Entry, ...]
            )
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidImage(f"{self.ref}: manifest.json is not valid", why=str(error)) from error
        wanted = getattr(self.ref, "path", None) is not None and self.ref.name
        found = [entry for entry in entries if not wanted or _named(entry, wanted)]
        if len(found) != 1:
            known = ", ".join(sorted(tag for entry in entries for tag in entry.repo_tags or ())) or "without names"
            raise ImageNotFound(
                f"{self.ref} names no single image",
                why=f"the archive holds {len(entries)}: {known}",
                hint="Add :NAME:TAG.",
            )
        return found[0]

    def _index(self) -> dict[str, tuple[int, int]]:
        """Return where each member's content is: name to (offset, size). Read once, without unpacking."""
        if self._members is None:
            members: dict[str, tuple[int, int]] = {}
            links: dict[str, str] = {}
            try:
                with tarfile.open(self._file, mode="r:") as tar:
                    for number, member in enumerate(tar):
                        if number > self._limits.layer_entries:
                            raise LimitExceeded(f"{self.ref} has too many members", hint="See limits.layer_entries.")
                        if member.isreg():
                            members[member.name] = (member.offset_data, member.size)
                        elif member.issym():
                            # Old engines store a layer that two images share once, and link to it.
                            links[member.name] = str(PurePosixPath(member.name).parent / member.linkname)
            except FileNotFoundError as error:
                raise ImageNotFound(f"{self.ref}: there is no such file") from error
            except (tarfile.TarError, OSError) as error:
                hint = "Compressed archives must be unpacked first." if "not an" not in str(error) else ""
                raise InvalidImage(f"{self.ref} is no docker archive", why=str(error), hint=hint) from error
            for name, target in links.items():
                normal = _normal(target)
                if normal in members:
                    members[name] = members[normal]
            self._members = members
        return self._members

    def _locate(self, name: str) -> tuple[int, int]:
        try:
            return self._index()[name]
        except KeyError:
            raise InvalidImage(f"{self.ref} is no docker archive", why=f"it has no {name[:200]!r}") from None

    def _size(self, name: str) -> int:
        return self._locate(name)[1]

    def _open(self, name: str) -> BinaryIO:
        offset, size = self._locate(name)
        stream = self._file.open("rb")
        stream.seek(offset)
        return cast(BinaryIO, _Slice(stream, size))

    def _read(self, name: str, limit: int) -> bytes:
        if self._size(name) > limit:
            raise LimitExceeded(
                f"{self.ref}: {name[:200]} is larger than {limit} bytes",
                hint="See limits.manifest_size and limits.config_size.",
            )
        with self._open(name) as stream:
            return stream.read(limit)


class _Slice(io.RawIOBase):
    """A part of a file, from where it stands."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        super().__init__()
        self._stream, self._left = stream, size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._stream.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(chunk)
        return chunk

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


def make_manifest(config_raw: bytes, config: ImageConfig, layers: list[Descriptor]) -> Manifest:
    """Return an OCI manifest, the same bytes for the same image whenever it is made."""
    document: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": Descriptor(OCI_CONFIG, _digest(config_raw), len(config_raw)),
        "layers": layers,
    }
    labels = config.runtime.labels or {}
    annotations = {name: labels[name] for name in sorted(labels) if name.startswith(ANNOTATION_PREFIX)}
    if annotations:
        document["annotations"] = annotations
    raw = msgspec.json.encode(document)
    return Manifest(Descriptor(OCI_MANIFEST, _digest(raw), len(raw)), raw)


def _digest(raw: bytes) -> Digest:
    return Digest(f"sha256:{hashlib.sha256(raw).hexdigest()}")


def _named(entry: _Entry, wanted: str) -> bool:
    tags = entry.repo_tags or ()
    return wanted in tags or f"{wanted}:latest" in tags or f"docker.io/{wanted}" in tags


def _normal(path: str) -> str:
    parts: list[str] = []
    for part in PurePosixPath(path).parts:
        if part == "..":
            if not parts:
                return ""
            parts.pop()
        elif part not in (".", "/"):
            parts.append(part)
    return "/".join(parts)
