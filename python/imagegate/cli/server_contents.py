"""What an Anchore server knows of an image, as the inventory takes it: packages, and the vulnerabilities of each."""

from __future__ import annotations

import msgspec

from imagegate.anchore.client import AnchoreClient
from imagegate.anchore.contents import contents
from imagegate.errors import AnchoreError, AuthenticationFailed, NetworkError
from imagegate.inventory.buckets import NEVER
from imagegate.inventory.model import OF_SERVER
from imagegate.inventory.server_names import Places, graver
from imagegate.model import Digest, Distro, Package, Vulnerability

SILENT = (AnchoreError, AuthenticationFailed, NetworkError)
"""What a server is that does not answer, or not as it should."""


class ServerKnows(msgspec.Struct, frozen=True):
    """packages: with those that only a vulnerability names. state: as `record` takes it; nothing is known without."""

    distro: Distro | None
    packages: tuple[Package, ...]
    platform: str
    state: tuple[str, int] = NEVER
    vulnerabilities: tuple[Vulnerability, ...] = ()


def lineage(client: AnchoreClient) -> str:
    """Return what the inventory calls the origin of a server's findings."""
    return f"{OF_SERVER}{client.origin}"


def ask(client: AnchoreClient, digest: Digest) -> ServerKnows:
    """Return what a server knows of an analysed image. Raises AnchoreError and the errors of its session.

    Where it tells the packages and not the vulnerabilities, the first re-check starts from what it then finds.
    """
    read = contents(client, digest)
    try:
        listed = client.found(digest).vulnerabilities
    except SILENT:
        return ServerKnows(read.distro, read.packages, read.platform)
    there = Places((each, each) for each in read.packages)
    strays = [msgspec.structs.replace(each.package, path="") for each in listed if not there.of(each.package)]
    packages = (*read.packages, *dict.fromkeys(strays))
    places = Places((each, each) for each in packages)
    found: dict[tuple[Package, str], Vulnerability] = {}
    for each in listed:
        for package in places.of(each.package):
            mine = msgspec.structs.replace(each, package=package)
            found[package, each.id] = graver(found.get((package, each.id)), mine)
    return ServerKnows(read.distro, packages, read.platform, (lineage(client), 0), tuple(found.values()))
