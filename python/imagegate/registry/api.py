"""What reading from and writing to a registry share. (OCI distribution-spec 1.1, "API".)"""

from __future__ import annotations

import hashlib
from urllib.parse import quote

import msgspec
import urllib3

from imagegate.errors import DigestMismatch, ImageNotFound, LimitExceeded, RegistryError
from imagegate.http.client import HttpClient, redact
from imagegate.http.transport import Response
from imagegate.model import Descriptor, Digest, Manifest, Repository, parse_digest
from imagegate.settings import Limits

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
ACCEPT = ", ".join((*MANIFEST_TYPES, *INDEX_TYPES))
_DOCKER_HUB_API = "registry-1.docker.io"


class RepositoryApi:
    """Requests of one repository."""

    def __init__(self, repository: Repository, http: HttpClient, limits: Limits) -> None:
        self.repository, self.http, self.limits = repository, http, limits
        host = _DOCKER_HUB_API if repository.registry == "docker.io" else repository.registry
        self.root = f"{http.base_url(host)}/v2/{repository.name}"

    @property
    def pull(self) -> str:
        """The token scope for reading."""
        return f"repository:{self.repository.name}:pull"

    @property
    def push(self) -> str:
        """The token scope for reading and writing."""
        return f"repository:{self.repository.name}:pull,push"

    def get_manifest(self, reference: str, *, scope: str = "") -> Manifest:
        """Return the manifest of a tag or digest. Raises RegistryError, DigestMismatch, LimitExceeded."""
        url = f"{self.root}/manifests/{quote(reference, safe=':')}"
        response = self.http.request("GET", url, scope=scope or self.pull, headers={"Accept": ACCEPT}, stream=True)
        with response:
            self.expect(response, 200, what=f"{self.repository} {reference}")
            raw = self._read_manifest(response, reference)
        found = Digest(f"sha256:{hashlib.sha256(raw).hexdigest()}")
        said = response.headers.get("Docker-Content-Digest", "")
        asked = reference if reference.startswith("sha256:") else ""
        for stated, who in ((asked, "asked for"), (said, "stated by the registry")):
            if stated.startswith("sha256:") and stated != found:
                raise DigestMismatch(
                    f"the manifest {self.repository} {reference} is corrupt", why=f"it is {found}, {stated} was {who}"
                )
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
        return Manifest(Descriptor(media_type or MANIFEST_TYPES[0], found, len(raw)), raw)

    def _read_manifest(self, response: Response, reference: str) -> bytes:
        limit = self.limits.manifest_size
        parts, size = [], 0
        try:
            for chunk in response.iter_content(64 * 1024):
                parts.append(chunk)
                size += len(chunk)
                if size > limit:
                    raise LimitExceeded(
                        f"the manifest {self.repository} {reference} is larger than {limit} bytes",
                        hint="Raise limits.manifest_size if it is meant to be that large.",
                    )
        except urllib3.exceptions.HTTPError as error:
            raise RegistryError(f"the manifest {self.repository} {reference} came cut short", why=str(error)) from error
        expected = response.headers.get("Content-Length", "")
        if expected.isdigit() and int(expected) != size:
            raise RegistryError(
                f"the manifest {self.repository} {reference} came cut short", why=f"{size} of {expected} bytes"
            )
        return b"".join(parts)

    def head_manifest(self, reference: str, *, scope: str = "") -> Digest | None:
        """Return the digest of a tag, or of a manifest that is there; None when it is not."""
        url = f"{self.root}/manifests/{quote(reference, safe=':')}"
        response = self.http.request("HEAD", url, scope=scope or self.pull, headers={"Accept": ACCEPT})
        if response.status_code == 404:
            return None
        self.expect(response, 200, what=f"{self.repository} {reference}")
        said = response.headers.get("Docker-Content-Digest", "")
        # Some registries leave the header out of a HEAD; the bytes have the digest all the same.
        return parse_digest(said) if said else self.get_manifest(reference, scope=scope).descriptor.digest

    def expect(self, response: Response, *statuses: int, what: str) -> None:
        """Raise ImageNotFound or RegistryError unless the status is one of these."""
        if response.status_code in statuses:
            return
        detail = error_detail(response)
        if response.status_code == 404:
            raise ImageNotFound(
                f"{what} is not there", why=detail or "status 404", hint="Check its name, tag and digest."
            )
        raise RegistryError(
            f"{self.repository.registry} answered {response.status_code} to {response.method} {redact(response.url)}",
            why=detail,
        )


class _Error(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Errors(msgspec.Struct):
    errors: list[_Error] = []


def error_detail(response: Response) -> str:
    """Return what the registry says, or "". (Distribution-spec, "Error Codes".)"""
    try:
        errors = msgspec.json.decode(next(response.iter_content(4096), b""), type=_Errors).errors
    except (msgspec.MsgspecError, OSError, urllib3.exceptions.HTTPError):
        return ""
    return "; ".join(f"{error.code}: {error.message}" for error in errors[:3])
