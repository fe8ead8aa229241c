"""Blobs into a repository: found there, mounted from a neighbour, or sent. (OCI distribution-spec, "Pushing Blobs".)"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

from imagegate.errors import NetworkError, RegistryError
from imagegate.http.transport import Response
from imagegate.image.source import ImageSource
from imagegate.model import Descriptor, Repository
from imagegate.progress import Task
from imagegate.registry.api import RepositoryApi

_CHUNK = 256 * 1024
_ATTEMPTS = 4


class _Tail:
    """A blob from an offset on, as a request's body whose length is known."""

    def __init__(self, source: ImageSource, blob: Descriptor, offset: int, task: Task) -> None:
        self.blob, self.offset = blob, offset
        self._source, self._task = source, task

    def __len__(self) -> int:
        return self.blob.size - self.offset

    def __iter__(self) -> Iterator[bytes]:
        if not len(self):
            return
        skip = self.offset
        with self._source.open_blob(self.blob) as stream:
            while chunk := stream.read(_CHUNK):
                if skip >= len(chunk):
                    skip -= len(chunk)
                    continue
                self._task.advance(len(chunk) - skip)
                yield chunk[skip:]
                skip = 0


class Uploader:
    """Moves single blobs. Safe to use from several threads."""

    def __init__(self, api: RepositoryApi, source: ImageSource, origin: Repository | None) -> None:
        """origin: the repository that the source reads from, for mounts; None when it is no registry."""
        self._api, self._source = api, source
        same = origin is not None and origin.registry == api.repository.registry and origin != api.repository
        self._mount_from = origin.name if origin and same else ""

    def has(self, blob: Descriptor) -> bool:
        """Whether the repository has the blob."""
        response = self._api.http.request("HEAD", f"{self._api.root}/blobs/{blob.digest}", scope=self._api.push)
        if response.status_code == 404:
            return False
        self._api.expect(response, 200, what=f"blob {blob.digest}")
        size = response.headers.get("Content-Length", "")
        return not size.isdigit() or int(size) == blob.size

    def mount(self, blob: Descriptor) -> bool:
        """Link the blob from its neighbour repository; False where the registry would rather have it sent."""
        if not self._mount_from:
            return False
        query = urlencode({"mount": blob.digest, "from": self._mount_from})
        scope = f"{self._api.push} repository:{self._mount_from}:pull"
        response = self._api.http.request("POST", f"{self._api.root}/blobs/uploads/?{query}", scope=scope)
        self._api.expect(response, 201, 202, what=f"blob {blob.digest}")
        if response.status_code == 201:
            return True
        self._cancel(response)
        return False

    def upload(self, blob: Descriptor, task: Task) -> None:
        """Send the blob in one request. A transfer that breaks goes on from where the registry says it stopped."""
        location, offset, trouble = self._begin(), 0, ""
        for attempt in range(_ATTEMPTS):
            body = _Tail(self._source, blob, offset, task)
            try:
                if offset:
                    location, body = self._patch(location, body), _Tail(self._source, blob, blob.size, task)
                self._finish(location, blob, body)
            except NetworkError as error:
                trouble = error.why or str(error)
                time.sleep(random.uniform(0.1, 0.3 * 2**attempt))  # noqa: S311 - jitter, not a secret
                if self.has(blob):
                    return  # the registry took the blob, and its answer was lost
                location, offset = self._offset(location)
            else:
                return
        raise NetworkError(
            f"the upload of blob {blob.digest} to {self._api.repository} broke {_ATTEMPTS} times",
            why=trouble,
            hint="Run the same command again; what is there is not sent twice.",
        )

    def _begin(self) -> str:
        response = self._api.http.request("POST", f"{self._api.root}/blobs/uploads/", scope=self._api.push)
        self._api.expect(response, 202, what=f"an upload to {self._api.repository}")
        return self._location(response)

    def _patch(self, location: str, body: _Tail) -> str:
        """Send what is left of the blob, and return where the upload goes on."""
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Range": f"{body.offset}-{body.blob.size - 1}",
        }
        response = self._api.http.request(
            "PATCH", location, scope=self._api.push, headers=headers, data=lambda: body, repeatable=False
        )
        if response.status_code == 416:
            raise NetworkError(f"the upload of blob {body.blob.digest} is out of step", why="status 416")
        self._api.expect(response, 202, what=f"blob {body.blob.digest}")
        return self._location(response)

    def _finish(self, location: str, blob: Descriptor, body: _Tail) -> None:
        """Send the body, which may be empty, and close the upload with the digest, which the registry checks."""
        response = self._api.http.request(
            "PUT",
            _with_query(location, "digest", blob.digest),
            scope=self._api.push,
            headers={"Content-Type": "application/octet-stream"},
            data=lambda: body,
            repeatable=False,
        )
        self._api.expect(response, 201, what=f"blob {blob.digest}")
        said = response.headers.get("Docker-Content-Digest", "")
        if said and said != blob.digest:
            raise RegistryError(f"{self._api.repository.registry} stored blob {blob.digest} as {said}")

    def _offset(self, location: str) -> tuple[str, int]:
        """Ask how far an upload got; begin a new one when the registry has forgotten it."""
        response = self._api.http.request("GET", location, scope=self._api.push)
        if response.status_code != 204:
            return self._begin(), 0
        last = response.headers.get("Range", "").rpartition("-")[2]
        return self._location(response), int(last) + 1 if last.isdigit() and last != "0" else 0

    def _cancel(self, response: Response) -> None:
        self._api.http.request("DELETE", self._location(response), scope=self._api.push)

    def _location(self, response: Response) -> str:
        location = response.headers.get("Location", "")
        if not location:
            raise RegistryError(f"{self._api.repository.registry} began an upload and did not say where")
        url = urljoin(response.url, location)
        if urlsplit(url).netloc != urlsplit(self._api.root).netloc and urlsplit(url).scheme != "https":
            raise RegistryError(f"{self._api.repository.registry} wants the upload sent elsewhere, and not by HTTPS")
        return url


def _with_query(url: str, name: str, value: str) -> str:
    parts = urlsplit(url)
    query = [*parse_qsl(parts.query, keep_blank_values=True), (name, value)]
    return parts._replace(query=urlencode(query, quote_via=quote, safe=":")).geturl()
