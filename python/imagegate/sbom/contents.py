"""What an SBOM says of an image, whichever form it has, and the analysis that can be made of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized

import msgspec

from imagegate.model import Analysis, Digest, Distro, ImageConfig, Package, Part, Platform, Problem
from imagegate.sbom.component import Component, Unreadable, package_of
from imagegate.vex.product import ImageName, parse_purl

_SHOWN = 5
_NAMESPACES = {"redhat": "rhel", "amazon": "amzn", "oracle": "ol", "alma": "almalinux"}
"""Ids of os-release(5) by what purls and other programs have for them. (purl-spec, type `rpm`; Trivy's families.)"""


class Contents(msgspec.Struct, frozen=True):
    """form: `CycloneDX 1.6`; tool: what wrote it; name: `registry/repository:tag` of the image, as far as it is told.

    digest: of the image's manifest, empty when it is not told; platform, distro: None when they are not told.
    title, version: of what the document is about, as they stand there.
    """

    form: str
    tool: str
    image: ImageName
    components: tuple[Component, ...]
    platform: Platform | None = None
    distro: Distro | None = None
    title: str = ""
    version: str = ""


class Sbom(msgspec.Struct, frozen=True):
    """An SBOM as it is evaluated. name: of the image, empty when it is not told; problems: what it leaves open.

    title, version: of what the document is about, as they stand there.
    """

    analysis: Analysis
    name: str
    problems: tuple[Problem, ...]
    title: str = ""
    version: str = ""


def analysis_of(contents: Contents, file: str, digest: Digest) -> Sbom:
    """Return what is known of the image. digest: of the document, which stands for the image's when that is not told.

    What cannot be understood is an error problem: a package that nobody could look at is no package without findings.
    """
    packages, unreadable = _packages(contents.components)
    distro, doubts = _distro(contents, packages)
    problems = [*doubts, *_left_out(unreadable)]
    if not packages:
        problems.append(Problem("error", "sbom_empty", f"{file} names no package that could be evaluated"))
    of = f"{contents.form}{f' by {contents.tool}' if contents.tool else ''}"
    told = f"evaluated from {file} ({of}, {_number(packages)}): what it leaves out nobody has looked for"
    known = {Part.PACKAGES}
    known |= {Part.LICENSES} if any(package.licenses for package in packages) else set()
    known |= {Part.DISTRO} if distro else set()
    known |= {Part.PLATFORM} if contents.platform else set()
    analysis = Analysis(
        digest=Digest(contents.image.digest) if contents.image.digest else digest,
        platform=contents.platform or Platform("", ""),
        size=0,
        config=ImageConfig(),
        layers=(),
        distro=distro,
        packages=tuple(sorted(packages, key=lambda each: (each.type, each.name, each.version, each.path))),
        files=(),
        passwd=None,
        retrieved={},
        analyzer=of,
        unknown=tuple(part for part in Part if part not in known),
    )
    image = contents.image
    name = f"{image.repository}:{image.tag or 'latest'}" if image.repository else ""
    problems = [Problem("warn", "sbom", told), *problems]
    return Sbom(analysis, name, tuple(problems), contents.title, contents.version)


def _packages(components: Iterable[Component]) -> tuple[list[Package], dict[str, list[str]]]:
    packages: list[Package] = []
    unreadable: dict[str, list[str]] = {}
    for component in components:
        try:
            packages.append(package_of(component))
        except Unreadable as why:
            unreadable.setdefault(str(why), []).append(component.name or component.purl)
    return list(dict.fromkeys(packages)), unreadable


def _left_out(unreadable: dict[str, list[str]]) -> Iterator[Problem]:
    for why, names in unreadable.items():
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        listed = ", ".join(name[:80] for name in names[:_SHOWN])
        yield Problem("error", "sbom_package", f"the SBOM has {_number(names)} {why}: {listed}{more}")


def _number(packages: Sized) -> str:
    return f"{len(packages)} package{'' if len(packages) == 1 else 's'}"


def _distro(contents: Contents, packages: Iterable[Package]) -> tuple[Distro | None, list[Problem]]:
    """Return the distribution: the one that the document names, else the one of its packages' purls.

    Packages of two distributions can only be matched by the advisories of one.
    """
    of_packages = dict.fromkeys(distro_of(package.purl) for package in packages if package.type.is_os)
    found = [each for each in of_packages if each]
    chosen = contents.distro or max(found, key=lambda each: len(each.version), default=None)
    others = [each for each in found if chosen and not _alike(chosen, each)]
    if not chosen or not others:
        return chosen, []
    told = ", ".join(sorted({f"{each.id} {each.version or each.codename}".strip() for each in (chosen, *others)}))
    return chosen, [Problem("error", "sbom_distro", f"the SBOM is of more than one distribution: {told}")]


def _alike(one: Distro, other: Distro) -> bool:
    """`12` and `12.5` are one release to what writes the one in one place and the other in another."""
    longer, shorter = sorted((one.version, other.version), key=len, reverse=True)
    return one.id == other.id and (not shorter or f"{longer}.".startswith(f"{shorter}."))


def distro_of(text: str) -> Distro | None:
    """Return the distribution that the qualifier `distro` of a purl names.

    syft and imagegate write `debian-12`, Trivy `debian-12.5` and, of Alpine, `3.19.1`; others `debian-bookworm`,
    `bookworm`. (purl-spec, type `deb`.)
    """
    purl = parse_purl(text)
    named = str(dict(purl.qualifiers or {}).get("distro", "")) if purl else ""
    if not purl:
        return None
    namespace = os_id(purl.namespace or "")
    if not named:
        # A namespace of rpm's is a vendor, who may have several distributions.
        return Distro(namespace) if namespace and purl.type != "rpm" else None
    head, _, tail = named.rpartition("-")
    if named[0].isdigit():
        return Distro(namespace, named)
    if head and tail[:1].isdigit():
        return Distro(os_id(head), tail)
    if os_id(named) == namespace:
        return Distro(namespace)
    return Distro(namespace, codename=named.removeprefix(f"{namespace}-"))


def os_id(name: str) -> str:
    """Return the id of os-release(5) of a distribution that other programs have another name for."""
    return _NAMESPACES.get(name, name)
