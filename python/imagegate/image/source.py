"""Where images come from: the interface that a registry, an OCI layout, a docker archive and the engine all offer."""

from __future__ import annotations

from types import TracebackType
from typing import BinaryIO, Protocol, Self

from imagegate.model import Descriptor, ImageRef, Manifest


class ImageSource(Protocol):
    """Content by digest. `resolve` is the only method that looks at a tag or name, and is called once."""

    @property
    def ref(self) -> ImageRef:
        """The reference that this source was opened for."""

    def resolve(self) -> Manifest:
        """Return the manifest or index that the reference names now.

        Raises ImageNotFound, and InvalidImage when the bytes do not have the digest asked for.
        """

    def manifest(self, descriptor: Descriptor) -> Manifest:
        """Return a manifest or index by digest. Raises ImageNotFound, DigestMismatch, LimitExceeded."""

    def open_blob(self, descriptor: Descriptor) -> BinaryIO:
        """Open a blob for one read from start to end.

        The stream checks digest and size as it is read and raises DigestMismatch at the latest at its end: what was
        read counts only once `read()` has returned b"" without raising. Close it.
        """

    def close(self) -> None:
        """Give back connections and temporary files."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
