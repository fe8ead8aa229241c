"""Images out of a registry."""

from __future__ import annotations

import io
from types import TracebackType
from typing import BinaryIO, Self, cast

import urllib3

from imagegate.errors import ImageNotFound, NetworkError
from imagegate.http.client import HttpClient
from imagegate.http.transport import Response
from imagegate.image.verify import VerifiedStream
from imagegate.model import Descriptor, Manifest, RegistryRef
from imagegate.registry.api import RepositoryApi
from imagegate.settings import Limits

_RESUMES = 5
"""How often a broken transfer goes on from where it stopped before it is given up."""


class RegistrySource:
    """An ImageSource of one repository."""

    def __init__(self, ref: RegistryRef, http: HttpClient, limits: Limits) -> None:
        self.ref = ref
        self.api = RepositoryApi(ref.repository, http, limits)

    def resolve(self) -> Manifest:
        """Look once at the tag, or at the digest when the reference has one."""
        try:
            return self.api.get_manifest(self.ref.digest or self.ref.tag)
        except ImageNotFound as error:
            raise ImageNotFound(f"{self.ref} is not there", why=error.why, hint=error.hint) from error

    def manifest(self, descriptor: Descriptor) -> Manifest:
        """Return a manifest by digest."""
        return self.api.get_manifest(descriptor.digest)

    def open_blob(self, descriptor: Descriptor) -> BinaryIO:
        """Open a blob; a transfer that breaks goes on from where it stopped."""
        return cast(BinaryIO, VerifiedStream(cast(BinaryIO, _BlobReader(self.api, descriptor)), descriptor))

    def close(self) -> None:
        """Connections belong to the client, which outlives this."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _BlobReader(io.RawIOBase):
    """Reads a blob with GET, and after a break with `Range`. (Distribution-spec, "Pulling blobs"; RFC 9110, 14.)"""

    def __init__(self, api: RepositoryApi, descriptor: Descriptor) -> None:
        super().__init__()
        self._api, self._descriptor = api, descriptor
        self._position, self._breaks = 0, 0
        self._response = self._open()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        while True:
            try:
                chunk: bytes = self._response.raw.read(size if size > 0 else 1024 * 1024)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                self._resume(str(error))
                continue
            if not chunk and self._position < self._descriptor.size:
                self._resume(f"it ended after {self._position} of {self._descriptor.size} bytes")
                continue
            self._position += len(chunk)
            return chunk

    def _open(self) -> Response:
        url = f"{self._api.root}/blobs/{self._descriptor.digest}"
        headers = {"Range": f"bytes={self._position}-"} if self._position else {}
        response = self._api.http.request("GET", url, scope=self._api.pull, headers=headers, stream=True)
        self._api.expect(response, 206 if self._position else 200, what=f"blob {self._descriptor.digest}")
        return response

    def _resume(self, why: str) -> None:
        self._response.close()
        self._breaks += 1
        if self._breaks > _RESUMES:
            raise NetworkError(
                f"the transfer of {self._descriptor.digest} from {self._api.repository} broke {_RESUMES} times",
                why=why,
                hint="Run the same command again.",
            )
        self._response = self._open()

    def close(self) -> None:
        if not self.closed:
            self._response.close()
        super().close()
