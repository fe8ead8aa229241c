"""The trusted repository: images go in by digest, and become visible by tag, last."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import msgspec

from imagegate.errors import DigestMismatch, RegistryError
from imagegate.http.client import HttpClient
from imagegate.image.source import ImageSource
from imagegate.model import Descriptor, Digest, Manifest, RegistryRef, Repository, ResolvedImage
from imagegate.progress import Progress, Task
from imagegate.registry.api import RepositoryApi
from imagegate.registry.destination import CopyReport
from imagegate.registry.upload import Uploader
from imagegate.settings import Limits

_WORKERS = 6


@dataclass(frozen=True)
class _Moved:
    """What became of one blob."""

    uploaded: int = 0
    mounted: int = 0
    existing: int = 0
    bytes_sent: int = 0


class TrustedRepository:
    """A `Destination` over the OCI distribution API."""

    def __init__(self, repository: Repository, http: HttpClient, limits: Limits) -> None:
        self.repository = repository
        self._api = RepositoryApi(repository, http, limits)

    def tagged(self, tag: str) -> Digest | None:
        """Return what the tag points at now, None when it does not exist."""
        return self._api.head_manifest(tag, scope=self._api.push)

    def copy(self, source: ImageSource, image: ResolvedImage, progress: Progress) -> CopyReport:
        """Copy blobs, then manifests, by digest and untagged."""
        blobs = list({descriptor.digest: descriptor for descriptor in _blobs(image)}.values())
        uploader = Uploader(self._api, source, _repository_of(image))
        present = self._present(image)
        if present:
            return CopyReport(0, 0, len(blobs), 0)
        with progress.task(f"copy to {self.repository}", sum(blob.size for blob in blobs)) as task:
            moved = self._move_all(uploader, blobs, task)
        for manifest in (*image.manifests, image.root):
            self._put(manifest, manifest.descriptor.digest)
        return CopyReport(
            uploaded=sum(each.uploaded for each in moved),
            mounted=sum(each.mounted for each in moved),
            existing=sum(each.existing for each in moved),
            bytes_sent=sum(each.bytes_sent for each in moved),
        )

    def tag(self, manifest: Manifest, tag: str) -> None:
        """Point the tag at a manifest that is already there: the commit point."""
        self._put(manifest, tag)
        pointed = self.tagged(tag)
        if pointed != manifest.descriptor.digest:
            raise RegistryError(
                f"{self.repository}:{tag} was written, but points at {pointed}",
                why=f"{manifest.descriptor.digest} was to be tagged; somebody else writes this tag as well",
                hint="Both are signed or neither counts: verify the tag before it is used.",
            )

    def _present(self, image: ResolvedImage) -> bool:
        """Whether all is there: a registry takes a manifest only when what it names is there, and keeps it so."""
        return all(
            self._api.head_manifest(each.descriptor.digest, scope=self._api.push) == each.descriptor.digest
            for each in (image.root, *image.manifests)
        )

    def _move_all(self, uploader: Uploader, blobs: list[Descriptor], task: Task) -> list[_Moved]:
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="copy") as workers:
            futures = [workers.submit(self._move, uploader, blob, task) for blob in blobs]
            try:
                return [future.result() for future in futures]
            except BaseException:
                for future in futures:
                    future.cancel()
                raise

    def _move(self, uploader: Uploader, blob: Descriptor, task: Task) -> _Moved:
        # A mount asks and acts in one request, and is also granted for what the repository has already.
        if uploader.mount(blob):
            task.advance(blob.size)
            return _Moved(mounted=1)
        if uploader.has(blob):
            task.advance(blob.size)
            return _Moved(existing=1)
        uploader.upload(blob, task)
        return _Moved(uploaded=1, bytes_sent=blob.size)

    def _put(self, manifest: Manifest, reference: str) -> None:
        """Send a manifest's exact bytes. (Distribution-spec, "Pushing Manifests".)"""
        response = self._api.http.request(
            "PUT",
            f"{self._api.root}/manifests/{reference}",
            scope=self._api.push,
            headers={"Content-Type": manifest.descriptor.media_type},
            data=manifest.raw,
        )
        self._api.expect(response, 201, 200, what=f"{self.repository} {reference}")
        said = response.headers.get("Docker-Content-Digest", "")
        if said and said != manifest.descriptor.digest:
            raise DigestMismatch(
                f"{self.repository.registry} stored another manifest than it was sent",
                why=f"it says {said}, sent was {manifest.descriptor.digest}",
            )


class _Content(msgspec.Struct):
    """The blobs that a manifest names; an index has none of its own. (OCI image-spec, manifest.md.)"""

    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()


def _blobs(image: ResolvedImage) -> Iterator[Descriptor]:
    """Yield the blobs of every manifest, those of attestations too, which are no images to be evaluated."""
    for manifest in (*image.manifests, image.root):
        content = msgspec.json.decode(manifest.raw, type=_Content)
        if content.config:
            yield content.config
        yield from content.layers


def _repository_of(image: ResolvedImage) -> Repository | None:
    return image.ref.repository if isinstance(image.ref, RegistryRef) else None
