"""What the inventory keeps, as values."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime

import msgspec

from imagegate.model import Distro, Package, Severity, Vulnerability
from imagegate.model.news import Kind
from imagegate.vulnerability.ecosystems import Query, queries, release

__all__ = [
    "OF_SERVER",
    "SLOTS",
    "Component",
    "Delta",
    "Kind",
    "Known",
    "NotableFile",
    "Promoted",
    "Variant",
    "compare",
    "component",
    "subjects",
]

SLOTS = 256
"""Parts that components are in, by their key. A shard takes some of them, and each has its state of the advisories."""


OF_SERVER = "anchore:"
"""What the lineage of findings begins with that an Anchore server told; then comes whose word it is."""


class Component(msgspec.Struct, frozen=True, order=True):
    """A package of a release, as the advisories see it: the same in each image that has it.

    release: of the distribution, as advisories name it; empty for what no distribution's advisories are about.
    """

    release: str
    type: str
    name: str
    version: str
    source: str = ""
    source_version: str = ""
    purl: str = ""

    @property
    def key(self) -> bytes:
        """Sixteen bytes that no other component has."""
        return hashlib.blake2b("\0".join(msgspec.structs.astuple(self)).encode(), digest_size=16).digest()

    @property
    def slot(self) -> int:
        """The part that it is in, below `SLOTS`."""
        return self.key[0]


_LONGEST = 1000
"""Bytes of a name: PostgreSQL's indexes take no more than 2,704 of a row."""


def storable_text(text: str, longest: int = _LONGEST) -> str:
    """Return text that any database takes, also in an index: without NUL, and where it is too long with its hash."""
    text = text.replace("\0", "\ufffd")
    raw = text.encode("utf-8", "replace")
    if len(raw) <= longest:
        return text
    return f"{raw[: longest - 40].decode('utf-8', 'ignore')}…{hashlib.blake2b(raw, digest_size=16).hexdigest()}"


def storable(package: Package) -> Package:
    """Return a package with texts that any database takes: hostile images are recorded as well."""
    texts = {
        name: fit
        for name in ("name", "version", "source", "source_version", "purl")
        if (fit := storable_text(text := getattr(package, name), 4 * _LONGEST if name == "purl" else _LONGEST)) != text
    }
    return msgspec.structs.replace(package, **texts) if texts else package


def _storable_distro(distro: Distro | None) -> Distro | None:
    if distro is None:
        return None
    return msgspec.structs.replace(distro, id=storable_text(distro.id, 100), version=storable_text(distro.version, 100))


def component(package: Package, distro: Distro | None) -> Component:
    """Return a package of an image as the inventory keeps it: without its place in the image."""
    package, distro = storable(package), _storable_distro(distro)
    return Component(
        release(distro) if distro and package.type.is_os else "",
        package.type.value,
        package.name,
        package.version,
        package.source,
        package.source_version,
        package.purl.partition("?")[0],
    )


def subjects(package: Package, distro: Distro | None) -> tuple[Query, ...]:
    """Return what advisories can be about the package: what `Change` names."""
    return queries(storable(package), _storable_distro(distro))


class NotableFile(msgspec.Struct, frozen=True, order=True):
    """A file that is asked for by its digest. layer: digest of the layer that it is of, empty when not known."""

    path: str
    sha256: str
    layer: str = ""

    @property
    def key(self) -> bytes:
        """Sixteen bytes that no other path and content have."""
        return hashlib.blake2b(f"{self.path}\0{self.sha256}".encode(), digest_size=16).digest()


class Variant(msgspec.Struct, frozen=True):
    """An image for one platform. base_layers: digests of those that are its base's, as far as they were proved."""

    platform: str
    digest: str
    distro: Distro | None
    packages: tuple[Package, ...]
    base_layers: tuple[str, ...] = ()
    files: tuple[NotableFile, ...] = ()


class Promoted(msgspec.Struct, frozen=True):
    """A promotion as it is recorded. policy: the document that it passed; advisories: their state then.

    base_proved: whether that is the base was proved by signatures, or only a label says it.
    """

    repository: str
    digest: str
    tags: tuple[str, ...]
    promoted_at: datetime
    variants: tuple[Variant, ...]
    verdict: str = "pass"
    source: str = ""
    base: str = ""
    base_digest: str = ""
    team: str = ""
    job: str = ""
    commit: str = ""
    policy: str = ""
    advisories: str = ""
    waivers: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()
    base_proved: bool = False


class Known(msgspec.Struct, frozen=True):
    """What the advisories say of a component: one vulnerability, as far as a change of it is news."""

    id: str
    severity: Severity
    fix: str = ""
    exploited: bool = False
    will_not_fix: bool = False
    aliases: tuple[str, ...] = ()
    url: str = ""
    reason: str = ""


class Delta(msgspec.Struct, frozen=True):
    """A change to what is known of a component. before: None for a new one, after: None for one that is resolved.

    found: all that the advisories say of it now.
    """

    component: int
    kind: Kind
    before: Known | None
    after: Known | None
    found: Vulnerability | None = None

    @property
    def vulnerability(self) -> str:
        known = self.after or self.before
        assert known
        return known.id


def compare(number: int, before: Iterable[Known], after: Iterable[Known]) -> tuple[Delta, ...]:
    """Return the changes of one component, by vulnerability; the gravest kind where several are true of one."""
    old = {each.id: each for each in before}
    new = {each.id: each for each in after}
    deltas = []
    for name in sorted({*old, *new}):
        kind = _kind(old.get(name), new.get(name))
        if kind:
            deltas.append(Delta(number, kind, old.get(name), new.get(name)))
    return tuple(deltas)


def _kind(before: Known | None, after: Known | None) -> Kind | None:
    if before is None:
        return Kind.NEW
    if after is None:
        return Kind.RESOLVED
    if after.exploited and not before.exploited:
        return Kind.EXPLOITED
    if after.severity is not before.severity:
        return Kind.SEVERITY
    if after.fix and not before.fix:
        return Kind.FIXABLE
    return None
