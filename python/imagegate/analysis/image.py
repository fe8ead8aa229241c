"""From the analyses of an image's layers to the analysis of the image. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from imagegate.analysis import purl
from imagegate.analysis.copyright import copyright_of
from imagegate.analysis.layer import Evidence, LayerAnalysis
from imagegate.analysis.malware import SCANNER
from imagegate.analysis.overlay import Overlay
from imagegate.analysis.system import OS_RELEASE, PASSWD, parse_os_release, parse_passwd
from imagegate.analysis.verify import altered
from imagegate.errors import AnalysisError
from imagegate.model import (
    AnalysedLayer,
    Analysis,
    ContentMatch,
    Digest,
    Distro,
    MalwareFinding,
    MalwareScan,
    Package,
    PackageType,
    PlatformImage,
)


def assemble(
    image: PlatformImage,
    layers: Sequence[LayerAnalysis],
    overlay: Overlay,
    contents: Mapping[str, bytes],
    retrieve: Sequence[str],
    analyzer: str,
    *,
    verify: bool = False,
    signatures: str = "",
) -> Analysis:
    """Return the analysis. contents: files' contents by path; retrieve: those of them that were asked for.

    verify: the layers were read so that files can be compared with the packages' databases. signatures: the version of
    those that the virus scanner has, empty when none was asked.
    Raises AnalysisError when a package database is damaged.
    """
    _check_readable(layers, overlay)
    os_release = next((contents[path] for path in OS_RELEASE if path in contents), None)
    distro = parse_os_release(os_release) if os_release is not None else None
    packages = _packages(image, layers, overlay, distro)
    return Analysis(
        digest=image.digest,
        platform=image.platform,
        size=sum(layer.descriptor.size for layer in image.layers),
        config=image.config,
        layers=_analysed_layers(image),
        distro=distro,
        packages=tuple(sorted(packages, key=lambda each: (each.type, each.name, each.version, each.path))),
        files=tuple(
            msgspec.structs.replace(overlay.files[path], layer=overlay.origin[path]) for path in sorted(overlay.files)
        ),
        passwd=parse_passwd(contents[PASSWD]) if PASSWD in contents else None,
        retrieved={path: contents[path] for path in retrieve if path in contents},
        analyzer=analyzer,
        matches=tuple(_matches(layers, overlay)),
        altered=altered(layers, overlay) if verify else None,
        malware=MalwareScan(SCANNER, tuple(_malware(layers, overlay)), signatures) if signatures else None,
    )


def _check_readable(layers: Sequence[LayerAnalysis], overlay: Overlay) -> None:
    for index, layer in enumerate(layers):
        for path, why in layer.unreadable.items():
            if overlay.origin.get(path) == index:
                raise AnalysisError(
                    f"{path} states packages, but cannot be read",
                    why=why,
                    hint="Repair or remove it in the image; with analysis.catalogers: syft, only syft reads it.",
                )


def _matches(layers: Sequence[LayerAnalysis], overlay: Overlay) -> Iterator[ContentMatch]:
    for index, layer in enumerate(layers):
        for match in layer.matches:
            if overlay.origin.get(match.path) == index:
                yield match


def _malware(layers: Sequence[LayerAnalysis], overlay: Overlay) -> Iterator[MalwareFinding]:
    for index, layer in enumerate(layers):
        for path, signatures in (layer.malware or {}).items():
            if overlay.origin.get(path) == index:
                yield from (MalwareFinding(path, signature) for signature in signatures)


def _analysed_layers(image: PlatformImage) -> tuple[AnalysedLayer, ...]:
    """Pair layers with the steps of the history that made them, where there is one for each."""
    steps = [entry.created_by or "" for entry in image.config.history or () if not entry.empty_layer]
    if len(steps) != len(image.layers):
        steps = [""] * len(image.layers)
    return tuple(
        AnalysedLayer(layer.descriptor.digest, layer.diff_id, layer.descriptor.size, step)
        for layer, step in zip(image.layers, steps, strict=True)
    )


def _packages(
    image: PlatformImage, layers: Sequence[LayerAnalysis], overlay: Overlay, distro: Distro | None
) -> list[Package]:
    seen = [
        (each, image.layers[index].descriptor.digest)
        for index, layer in enumerate(layers)
        for each in layer.evidence
        if overlay.origin.get(each.path) == index
    ]
    installed = {package.name for each, _ in seen for package in each.packages if package.type is PackageType.DPKG}
    owned = _owned(layers, overlay, installed)
    return [
        _placed(_licensed(package, layers, overlay), digest, distro)
        for each, digest in seen
        for package in each.packages
        if package.type.is_os or not _is_owned(each, overlay, owned)
    ]


def _licensed(package: Package, layers: Sequence[LayerAnalysis], overlay: Overlay) -> Package:
    """Return a Debian package with the licences that its `copyright` file names."""
    if package.type is not PackageType.DPKG or package.licenses:
        return package
    path = overlay.resolve(copyright_of(package.name))
    found = layers[overlay.origin[path]].licenses.get(path) if path in overlay.origin else None
    return msgspec.structs.replace(package, licenses=found) if found else package


def _owned(layers: Sequence[LayerAnalysis], overlay: Overlay, installed: set[str]) -> set[tuple[str, str]]:
    """Return path and checksum of what installed packages own, links to directories resolved (`/lib` is `/usr/lib`)."""
    return {
        (overlay.resolve(path), checksum)
        for index, layer in enumerate(layers)
        for each in layer.ownership
        if (not each.package or each.package in installed) and overlay.origin.get(each.path) == index
        for path, checksum in each.files.items()
    }


def _is_owned(evidence: Evidence, overlay: Overlay, owned: set[tuple[str, str]]) -> bool:
    path, known = overlay.resolve(evidence.path), evidence.checksums
    sums = (known.md5, known.sha1) if known else ()
    return any((path, each) in owned for each in (*sums, overlay.files[evidence.path].sha256))


def _placed(package: Package, layer: Digest, distro: Distro | None) -> Package:
    if package.type.is_os:
        return msgspec.structs.replace(package, layer=layer, purl=purl.of_distro(package, distro))
    return msgspec.structs.replace(package, layer=layer)
