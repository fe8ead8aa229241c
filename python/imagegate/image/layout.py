"""Images out of an OCI image layout directory. (OCI image-spec, image-layout.md.)"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

import msgspec

from imagegate.errors import DigestMismatch, ImageNotFound, InvalidImage, LimitExceeded
from imagegate.image.resolve import check_digest
from imagegate.image.verify import VerifiedStream
from imagegate.model import Descriptor, LayoutRef, Manifest, parse_digest
from imagegate.settings import Limits

REF_NAME = "org.opencontainers.image.ref.name"
_CONTAINERD_NAME = "io.containerd.image.name"


class _Index(msgspec.Struct):
    manifests: tuple[Descriptor, ...] = ()


class LayoutSource:
    """An ImageSource over `oci:DIR[:ref]`. Nothing outside the directory is ever read."""

    def __init__(self, ref: LayoutRef, limits: Limits) -> None:
        self.ref = ref
        self._limits = limits
        self._root = Path(ref.path)

    def resolve(self) -> Manifest:
        """Return the entry of index.json that the reference names, or its only one."""
        raw = self._read(self._root / "index.json", self._limits.manifest_size, "index.json")
        try:
            entries = msgspec.json.decode(raw, type=_Index).manifests
        except msgspec.DecodeError as error:
            raise InvalidImage(f"{self.ref}: index.json is not valid", why=str(error)) from error
        named = [entry for entry in entries if not self.ref.name or self.ref.name in _names(entry)]
        if len({entry.digest for entry in named}) > 1 and self.ref.name:
            named = named[-1:]
        if len({entry.digest for entry in named}) != 1:
            known = ", ".join(sorted({name for entry in entries for name in _names(entry)})) or "without names"
            why = f"it holds {len(entries)} images: {known}" if entries else "it is empty"
            raise ImageNotFound(f"{self.ref} names no single image", why=why, hint=f"Write oci:{self.ref.path}:NAME.")
        return self.manifest(named[0])

    def manifest(self, descriptor: Descriptor) -> Manifest:
        """Return a manifest by digest."""
        raw = self._read(self._blob(descriptor), self._limits.manifest_size, f"the manifest {descriptor.digest}")
        if not check_digest(raw, descriptor.digest):
            raise DigestMismatch(f"{self.ref}: the manifest {descriptor.digest} is corrupt")
        return Manifest(Descriptor(descriptor.media_type, descriptor.digest, len(raw)), raw)

    def open_blob(self, descriptor: Descriptor) -> BinaryIO:
        """Open a blob, which is checked while it is read."""
        return cast(BinaryIO, VerifiedStream(self._open(self._blob(descriptor)), descriptor))

    def close(self) -> None:
        """Nothing is held open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _blob(self, descriptor: Descriptor) -> Path:
        return self._root / "blobs" / "sha256" / parse_digest(descriptor.digest).removeprefix("sha256:")

    def _open(self, path: Path) -> BinaryIO:
        """Open a regular file; a symbolic link could lead out of the layout."""
        try:
            number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError as error:
            hint = "" if (self._root / "index.json").exists() else f"{self._root} is no OCI layout."
            raise ImageNotFound(f"{self.ref}: there is no {path.name}", hint=hint) from error
        except OSError as error:
            raise InvalidImage(f"{self.ref}: {path.name} cannot be read", why=error.strerror or "") from error
        if not stat.S_ISREG(os.fstat(number).st_mode):
            os.close(number)
            raise InvalidImage(f"{self.ref}: {path.name} is no regular file")
        return os.fdopen(number, "rb")

    def _read(self, path: Path, limit: int, what: str) -> bytes:
        with self._open(path) as stream:
            raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise LimitExceeded(
                f"{self.ref}: {what} is larger than {limit} bytes", hint="Raise limits.manifest_size if it is meant."
            )
        return raw


def _names(entry: Descriptor) -> set[str]:
    name = entry.annotations.get(REF_NAME, "")
    full = entry.annotations.get(_CONTAINERD_NAME, "")
    return {each for each in (name, full) if each}
