"""What was verified last, per repository: the first trusted root, against which all later data is checked for rollback.

It is never a stand-in for a server that is down; it saves reading files whose hash the fresh timestamp still names.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from imagegate.errors import NotTrusted, TrustError


class Remembered(msgspec.Struct, frozen=True):
    """anchor: the root that was trusted first. files: raw metadata by role; versions: of every role."""

    gun: str
    anchor: bytes
    files: dict[str, bytes]
    versions: dict[str, int]

    @property
    def order(self) -> tuple[int, int]:
        return self.versions["root"], self.versions["timestamp"]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Remembered)


class TrustCache:
    """A directory with a file per server and repository. Safe for several processes."""

    def __init__(self, directory: Path, server: str) -> None:
        self._directory, self._server = directory, server

    def path(self, gun: str) -> Path:
        """Return the repository's file, for the reader of an error."""
        name = hashlib.sha256(f"{self._server}\0{gun}".encode()).hexdigest()[:32]
        return self._directory / f"{name}.trust"

    def load(self, gun: str) -> Remembered | None:
        """Return what is remembered. Raises TrustError for a file that is damaged: forgetting would be unsafe."""
        path = self.path(gun)
        try:
            found = _DECODER.decode(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise TrustError(
                f"{path} cannot be read",
                why=str(error),
                hint=f"It remembers the root of {gun}; remove it to start over.",
            ) from error
        if found.gun != gun:
            raise NotTrusted(f"{path} is of another repository", why=found.gun)
        return found

    def store(self, remembered: Remembered) -> None:
        """Remember, unless another process has remembered something newer meanwhile. Raises TrustError, NotTrusted.

        Another process that trusted another root first wins: this one's data is then not trusted.
        """
        path = self.path(remembered.gun)
        try:
            with self._lock(path):
                present = self.load(remembered.gun)
                if present and present.anchor != remembered.anchor:
                    raise NotTrusted(
                        f"another process trusts another root of {remembered.gun}", hint="Run the command again."
                    )
                if present and (present.order > remembered.order):
                    return
                if present and present.order == remembered.order:
                    files = {**present.files, **remembered.files}
                    if files == present.files:
                        return
                    versions = {**present.versions, **remembered.versions}
                    remembered = msgspec.structs.replace(remembered, files=files, versions=versions)
                _replace(path, _ENCODER.encode(remembered))
        except OSError as error:
            raise TrustError(f"{path} cannot be written", why=str(error)) from error

    @contextmanager
    def _lock(self, path: Path) -> Iterator[None]:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _replace(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
