"""Building an image as the rest sees it: a request in, an image of the engine out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from imagegate.model import DaemonRef, Platform
from imagegate.trust.base import VerifiedBase


@dataclass(frozen=True)
class BuildRequest:
    """What to build. context: its directory; dockerfile: the text, unpinned; bases: of `verify_bases`, for all images.

    names: `registry/repo:tag` or shorter, to give to the image in the engine. labels: beside those that name the base.
    network: what RUN has, as `docker build --network`; empty: the engine's default.
    Values of build_args are kept out of the repr, but an engine writes them into the image's history.
    """

    context: Path
    dockerfile: str
    bases: tuple[VerifiedBase, ...]
    platform: Platform
    build_args: Mapping[str, str] = field(default_factory=dict, repr=False)
    target: str = ""
    names: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    no_cache: bool = False
    network: str = ""


class BuiltImage(msgspec.Struct, frozen=True, tag_field="schema", tag="imagegate/build/1"):
    """An image in the engine. id: what the engine knows it by; base: `registry/repo:tag` of its base, if any."""

    id: str
    names: tuple[str, ...]
    bases: tuple[VerifiedBase, ...]
    labels: dict[str, str]

    @property
    def reference(self) -> DaemonRef:
        """The image by its id, which no later build moves."""
        return DaemonRef(self.id)


class Builder(Protocol):
    """Builds images from Dockerfiles."""

    def build(self, request: BuildRequest, tell: Callable[[str], None]) -> BuiltImage:
        """Build exactly on the request's bases, and label the result with the one that it stands on.

        tell: gets each line of the build's output, as it comes. Raises BuildError with the failing step's text,
        NetworkError when the engine or a registry cannot be reached.
        """
