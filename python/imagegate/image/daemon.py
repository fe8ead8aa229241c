"""Images out of the local Docker engine.

The engine tells an image's id at once, but gives its content only as one export of the whole image. So the export is
made when a layer is read that no cache has: when every layer was analysed before, never. What `resolve` needs is
remembered by the id, which is a digest and names the same image for ever.
"""

from __future__ import annotations

import io
import os
import tempfile
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

import msgspec

from imagegate.errors import ImageNotFound, NetworkError
from imagegate.eviction import remove_abandoned
from imagegate.image.archive import ArchiveSource
from imagegate.image.verify import VerifiedStream
from imagegate.model import DaemonRef, Descriptor, Manifest, parse_digest
from imagegate.settings import Docker, Limits

_CHUNK = 2 * 1024 * 1024


class _Known(msgspec.Struct, frozen=True):
    """What an export taught about an image."""

    manifest: Manifest
    config: bytes


class DaemonSource:
    """An ImageSource over `docker-daemon:NAME`."""

    def __init__(self, ref: DaemonRef, directory: Path, docker: Docker, limits: Limits) -> None:
        """directory: where exports are kept while they are used, and what they taught for longer."""
        self.ref = ref
        self._directory, self._docker, self._limits = directory, docker, limits
        self._image_id = ""
        self._exported: Path | None = None

    def resolve(self) -> Manifest:
        """Return a manifest made of the image that the name stands for now. Raises ImageNotFound, NetworkError."""
        found = self._inspect()
        if found != self._image_id:
            self._forget()
            self._image_id = found
        return self._known.manifest

    def manifest(self, descriptor: Descriptor) -> Manifest:
        """There is one manifest only, and `resolve` gives it."""
        raise ImageNotFound(f"{self.ref} has no manifest {descriptor.digest}")

    def open_blob(self, descriptor: Descriptor) -> BinaryIO:
        """Open the config, or a layer out of the export."""
        config = self._known.config
        document = msgspec.json.decode(self._known.manifest.raw)
        if document["config"]["digest"] == descriptor.digest:
            return cast(BinaryIO, VerifiedStream(io.BytesIO(config), descriptor))
        return self._archive.open_blob(descriptor)

    def _forget(self) -> None:
        """Forget the image that the name stood for before."""
        self.close()
        for remembered in ("_known", "_archive"):
            self.__dict__.pop(remembered, None)

    def close(self) -> None:
        """Remove the export."""
        if self._exported:
            self._exported.unlink(missing_ok=True)
            self._exported = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @cached_property
    def _known(self) -> _Known:
        file = self._directory / parse_digest(self._image_id).removeprefix("sha256:")
        try:
            return msgspec.msgpack.decode(file.read_bytes(), type=_Known)
        except (FileNotFoundError, msgspec.DecodeError):
            known = self._learn()
        number, name = tempfile.mkstemp(dir=self._directory)
        with os.fdopen(number, "wb") as stream:
            stream.write(msgspec.msgpack.encode(known))
        os.replace(name, file)
        return known

    def _learn(self) -> _Known:
        manifest = self._archive.resolve()
        config = msgspec.convert(msgspec.json.decode(manifest.raw)["config"], Descriptor)
        with self._archive.open_blob(config) as stream:
            return _Known(manifest, b"".join(iter(lambda: stream.read(_CHUNK), b"")))

    @cached_property
    def _archive(self) -> ArchiveSource:
        """The export: by id, so that a name that moves meanwhile changes nothing."""
        archive = ArchiveSource(self.ref, self._limits, self._export())
        archive.resolve()
        return archive

    def _inspect(self) -> str:
        facts: dict[str, Any] = self._ask(lambda client: client.inspect_image(self.ref.name))
        return str(facts["Id"])

    def _export(self) -> Path:
        def fetch(client: Any) -> Path:
            number, name = tempfile.mkstemp(dir=self._directory, suffix=".tar")
            self._exported = Path(name)
            with os.fdopen(number, "wb") as stream:
                for chunk in client.get_image(self._image_id, chunk_size=_CHUNK):
                    stream.write(chunk)
            return self._exported

        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        remove_abandoned(self._directory, "*.tar")
        exported: Path = self._ask(fetch)
        return exported

    def _ask(self, question: Any) -> Any:
        """Put a question to the engine. The SDK is imported here, because it takes long."""
        import docker
        import requests

        from imagegate.image.engine import connect

        try:
            with connect(self._docker) as client:
                return question(client)
        except docker.errors.ImageNotFound as error:
            raise ImageNotFound(
                f"the Docker engine has no image {self.ref.name!r}", hint="`docker images` lists what it has."
            ) from error
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            host = self._docker.host or os.environ.get("DOCKER_HOST", "")
            raise NetworkError(
                f"the Docker engine at {host or 'its default socket'} cannot be used",
                why=str(error)[:300],
                hint="Start it, or set DOCKER_HOST or docker.host.",
            ) from error
