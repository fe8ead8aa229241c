"""The few files of a layer that syft is to look at, in a temporary directory.

Paths come from an untrusted tar, but normalised: absolute, without `..`. Nothing but directories and regular files is
ever made here, so no path can lead out of the directory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from imagegate.analysis.hashes import Hashes
from imagegate.analysis.layer import Checksums
from imagegate.analysis.probe import no_space
from imagegate.analysis.tarstream import Member, TarStream
from imagegate.model import FileType

_CHUNK = 1024 * 1024


class Spool:
    """A directory that lasts for a `with` block. checksums: of each file, by its path in the layer."""

    def __init__(self) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="imagegate-")
        self.root = Path(self._temporary.name) / "root"
        self.root.mkdir()
        self.checksums: dict[str, Checksums | None] = {}

    def add(self, member: Member, tar: TarStream) -> None:
        """Add the present entry of the tar."""
        if member.type is FileType.DIRECTORY:
            self._place(member.path).mkdir(parents=True, exist_ok=True)
        elif member.type is FileType.FILE:
            self.write(member.path, iter(lambda: tar.read(_CHUNK), b""))

    def write(self, path: str, chunks: Iterable[bytes]) -> None:
        """Write a file. Raises AnalysisError when the disk does not take it."""
        place = self._place(path)
        hashes = Hashes(old=True)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("wb") as file:
                for chunk in chunks:
                    hashes.update(chunk)
                    file.write(chunk)
        except OSError as error:
            raise no_space(path, error) from error
        self.checksums[path] = hashes.checksums

    def _place(self, path: str) -> Path:
        return self.root / path.removeprefix("/")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._temporary.cleanup()
