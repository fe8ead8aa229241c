"""References to images, parsed once. (distribution/reference grammar; Docker's rules for names without a registry.)"""

from __future__ import annotations

import re
from pathlib import Path

from imagegate.errors import InvalidReference
from imagegate.model import (
    ArchiveRef,
    DaemonRef,
    ImageRef,
    LayoutRef,
    Platform,
    RegistryRef,
    Repository,
    SbomRef,
    parse_digest,
)

DEFAULT_REGISTRY = "docker.io"
_ALIASES = {"dockerhub": DEFAULT_REGISTRY, "index.docker.io": DEFAULT_REGISTRY}

_HOST = re.compile(
    r"(?:(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:]+\])"
    r"(?::[0-9]{1,5})?\Z"
)
_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*\Z")
_TAG = re.compile(r"\w[\w.-]{0,127}\Z", re.ASCII)
_MAX_NAME = 255

_TRANSPORTS = ("docker-daemon", "oci", "docker-archive", "sbom")
FORMS = "Write registry/repo:tag, registry/repo@sha256:..., docker-daemon:NAME, oci:DIR or docker-archive:FILE."
"""The hint for what is no reference at all."""


def parse(text: str, default_registry: str = DEFAULT_REGISTRY) -> ImageRef:
    """Return the reference that text is.

    `registry/repo:tag`, `registry/repo@sha256:…` or both; `docker-daemon:NAME`; `oci:DIR[:ref]`;
    `docker-archive:FILE[:name:tag]`; `sbom:FILE`. Raises InvalidReference.

    default_registry: of a text that names none.
    """
    transport, colon, rest = text.partition(":")
    if colon and transport in _TRANSPORTS:
        if not rest:
            raise InvalidReference(
                f"{text!r} names no image", hint=f"Write {transport}: and what it is in, see --help."
            )
        if transport == "docker-daemon":
            return DaemonRef(rest)
        if transport == "sbom":
            return SbomRef(rest)
        path, name = _split_path(rest)
        return LayoutRef(path, name) if transport == "oci" else ArchiveRef(path, name)
    return _parse_registry(text, default_registry=default_registry)


def parse_repository(text: str, default_registry: str = DEFAULT_REGISTRY) -> Repository:
    """Return `registry/repo`. Raises InvalidReference, also when there is a tag or a digest.

    default_registry: of a text that names none.
    """
    reference = _parse_registry(text, default_tag="", default_registry=default_registry)
    if reference.tag or reference.digest:
        alone = ", and the tag by itself" if reference.tag else ""
        raise InvalidReference(f"{text!r} is more than a repository", hint=f"Write {reference.repository}{alone}.")
    return reference.repository


def parse_tag(text: str) -> str:
    """Return text if it is a tag. Raises InvalidReference. (OCI distribution-spec, "Pulling manifests".)"""
    if not _TAG.match(text):
        raise InvalidReference(
            f"{text[:150]!r} is no tag",
            hint="A tag is up to 128 letters, digits, '_', '.' and '-'; not '.' or '-' first.",
        )
    return text


def parse_platform(text: str) -> Platform:
    """Return `os/architecture[/variant]`. Raises InvalidReference."""
    parts = text.split("/")
    if len(parts) not in (2, 3) or not all(re.fullmatch(r"[a-z0-9_.-]+", part) for part in parts):
        raise InvalidReference(f"{text!r} is no platform", hint="Write os/architecture[/variant], such as linux/amd64.")
    return Platform(*parts)


def _parse_registry(text: str, default_tag: str = "latest", default_registry: str = DEFAULT_REGISTRY) -> RegistryRef:
    name, at, digest_text = text.partition("@")
    digest = parse_digest(digest_text) if at else None
    head, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        head, tag = name, ""
    elif head:
        parse_tag(tag)
    first, slash, rest = head.partition("/")
    if slash and (first in _ALIASES or first == "localhost" or "." in first or ":" in first or first.startswith("[")):
        registry, path = _ALIASES.get(first, first), rest
    else:
        registry, path = default_registry, head
    if registry == DEFAULT_REGISTRY and "/" not in path:
        path = f"library/{path}"
    _check(text, registry, path)
    return RegistryRef(Repository(registry, path), tag or ("" if digest else default_tag), digest)


def _check(text: str, registry: str, path: str) -> None:
    local = text.startswith(("/", "./", "../", "~")) or text.endswith((".tar", ".tar.gz", ".json"))
    if local:
        kind = "sbom" if text.endswith(".json") else "oci" if Path(text).is_dir() else "docker-archive"
        raise InvalidReference(f"{text!r} is a path, not an image", hint=f"Write {kind}:{text}.")
    if not _HOST.match(registry):
        raise InvalidReference(f"{text[:150]!r}: {registry[:80]!r} is no registry host", hint=FORMS)
    if len(path) > _MAX_NAME or not _NAME.match(path):
        lower = "Repository names are lower-case. " if path != path.lower() and _NAME.match(path.lower()) else ""
        raise InvalidReference(f"{text[:150]!r} is no image reference", hint=f"{lower}{FORMS}")


def _split_path(text: str) -> tuple[str, str]:
    """Split `PATH[:name]`; a path that exists as it stands wins, so that it may hold a colon."""
    if Path(text).exists():
        return text, ""
    path, colon, name = text.partition(":")
    return (path, name) if colon and path else (text, "")
