"""Which mapping, and which listed image, is about an image. (Anchore Engine, `policy/bundles.py`.)"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from imagegate.model import Digest
from imagegate.policy.model import ImageRule, Mapping
from imagegate.policy.pattern import matches


class Name(msgspec.Struct, frozen=True):
    """The name that an image is evaluated under, and its digests. image_id: None when it is not known."""

    registry: str
    repository: str
    tag: str
    digest: Digest
    image_id: Digest | None = None


class CannotMatch(Exception):
    """Whether a rule is about the image cannot be told; the text says why."""


def parse_name(tag: str, digest: Digest, image_id: Digest | None) -> Name:
    """Split `registry/repository:tag`; a name without a registry is Docker Hub's."""
    text = tag.partition("@")[0]
    head, colon, tail = text.rpartition(":")
    path, label = (head, tail) if colon and "/" not in tail else (text, "")
    first, slash, rest = path.partition("/")
    if not slash or (first != "localhost" and "." not in first and ":" not in first):
        first, rest = "docker.io", path
    return Name(_canonical(first), rest, label, digest, image_id)


def _canonical(registry: str) -> str:
    return "docker.io" if registry in ("dockerhub", "index.docker.io") else registry


def is_about(rule: ImageRule, name: Name, *, beginning: bool = False) -> bool:
    """Say whether a rule is about an image. beginning: see `pattern.matches`. Raises CannotMatch."""
    registry = _canonical(rule.registry)
    registry = registry.replace("dockerhub/", "docker.io/", 1) if registry.startswith("dockerhub/") else registry
    if not matches(registry, name.registry, beginning=beginning):
        return False
    if not matches(rule.repository, name.repository, beginning=beginning):
        return False
    if rule.kind == "tag":
        return matches(rule.value, name.tag, beginning=beginning)
    if rule.kind == "digest":
        return rule.value == name.digest
    if name.image_id is None:
        raise CannotMatch(f"{rule.name or rule.id!r} is about an image id, and that of this image is not known")
    return rule.value.removeprefix("sha256:") == name.image_id.removeprefix("sha256:")


def first_mapping(mappings: Iterable[Mapping], name: Name) -> Mapping | None:
    """Return the first mapping that is about the image. Raises CannotMatch."""
    return next((mapping for mapping in mappings if is_about(mapping.images, name, beginning=True)), None)
