"""A syft document as an Anchore server imports it.

Enterprise takes syft's own of today. Engine 1.1.0 takes the form that syft had in 2021 (JSON schema 2): licenses and
CPEs are texts, the distribution has one `version` and one `idLike`, the image stands under `target`, and the kinds of
metadata have other names. (Engine's OpenAPI 0.1.20, `ImagePackageManifest`; syft's changes of its schema up to 16.)
"""

from __future__ import annotations

from typing import Any

from imagegate.model import PlatformImage

_METADATA = {
    "apk-db-entry": "ApkMetadata",
    "dpkg-db-entry": "DpkgMetadata",
    "go-module-buildinfo-entry": "GolangBinMetadata",
    "java-archive": "JavaMetadata",
    "javascript-npm-package": "NpmPackageJSONMetadata",
    "python-package": "PythonPackageMetadata",
    "rpm-db-entry": "RpmdbMetadata",
    "ruby-gemspec": "GemMetadata",
}


def for_server(document: dict[str, Any], image: PlatformImage, api: str) -> dict[str, Any]:
    """Return a syft document as a server of that version takes it, about the image by its own digests."""
    source = dict(document.get("source") or {})
    about = {
        **(source.get("metadata") or {}),
        "manifestDigest": image.digest,
        "imageID": image.config_descriptor.digest,
        "mediaType": image.manifest.descriptor.media_type,
    }
    told = {**document, "source": {**source, "type": "image", "metadata": about}}
    # An image without /etc/os-release has no distribution, which neither server's document allows to be left out.
    told["distro"] = document.get("distro") or {}
    if api != "v1":
        return told
    distro = told["distro"]
    like = distro.get("idLike") or ""
    told["source"] = {"type": "image", "target": about}
    told["distro"] = {
        "name": str(distro.get("id") or distro.get("name") or ""),
        "version": str(distro.get("versionID") or distro.get("version") or ""),
        "idLike": str(like[0] if isinstance(like, list) and like else like or ""),
    }
    told["artifacts"] = [_artifact(each) for each in document.get("artifacts") or ()]
    return told


def _artifact(artifact: dict[str, Any]) -> dict[str, Any]:
    kind = str(artifact.get("metadataType") or "")
    return {
        **artifact,
        "licenses": [_text(each, "value") for each in artifact.get("licenses") or ()],
        "cpes": [_text(each, "cpe") for each in artifact.get("cpes") or ()],
        "metadataType": _METADATA.get(kind, kind),
        "metadata": artifact.get("metadata") or {},
    }


def _text(value: Any, name: str) -> str:
    return str(value.get(name) or "") if isinstance(value, dict) else str(value)
