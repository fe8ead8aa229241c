"""Writes CycloneDX 1.6 as JSON. (CycloneDX 1.6, bom-1.6.schema.json; property taxonomy, "Namespace".) Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from imagegate import __version__
from imagegate.model import Analysis, Distro, Package
from imagegate.sbom.cyclonedx import OWN
from imagegate.sbom.naming import Names, is_expression, is_identifier, package_ids

SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
TOOLS = {"components": [{"type": "application", "name": "imagegate", "version": __version__}]}


def render(analysis: Analysis, name: str, now: datetime) -> str:
    """Return the SBOM of an image that is called `registry/repository:tag`; the same for the same moment."""
    names = Names(analysis, name, now)
    ids = package_ids(analysis.packages)
    components = [_package(package, f"package-{id_}") for package, id_ in zip(analysis.packages, ids, strict=True)]
    components += [_distro(analysis.distro)] if analysis.distro else []
    document = {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": names.document,
        "version": 1,
        "metadata": {"timestamp": names.time, "tools": TOOLS, "component": _image(analysis, names)},
        "components": components,
        "dependencies": [{"ref": names.purl, "dependsOn": [each["bom-ref"] for each in components]}],
    }
    return json.dumps(document, indent=2) + "\n"


def _image(analysis: Analysis, names: Names) -> dict[str, Any]:
    layers = ((f"layers:{number}", layer.digest) for number, layer in enumerate(analysis.layers))
    return {
        "bom-ref": names.purl,
        "type": "container",
        "name": names.repository,
        "version": analysis.digest,
        "hashes": [{"alg": "SHA-256", "content": analysis.digest.removeprefix("sha256:")}],
        "purl": names.purl,
        "properties": _properties([("platform", str(analysis.platform)), *layers]),
    }


def _distro(distro: Distro) -> dict[str, Any]:
    facts = [(f"distro:like:{number}", name) for number, name in enumerate(distro.like)]
    facts += [("distro:codename", distro.codename)]
    told = {
        "bom-ref": f"os-{distro.id}-{distro.version}",
        "type": "operating-system",
        "name": distro.id,
        "version": distro.version,
        "description": distro.name,
        "properties": _properties(facts),
    }
    return {key: value for key, value in told.items() if value}


def _package(package: Package, ref: str) -> dict[str, Any]:
    facts = [("type", package.type.value), ("path", package.path), ("layer", package.layer or "")]
    told = {
        "bom-ref": ref,
        "type": "application" if not package.purl else "library",
        "name": package.name,
        "version": package.version,
        "licenses": list(_licenses(package.licenses)),
        "purl": package.purl,
        "properties": _properties(facts),
    }
    return {key: value for key, value in told.items() if value or key == "name"}


def _licenses(licenses: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield licences by id, or by name where SPDX has none for it; an expression only stands alone."""
    for each in licenses:
        if is_identifier(each):
            yield {"license": {"id": each}}
        elif len(licenses) == 1 and is_expression(each):
            yield {"expression": each}
        else:
            yield {"license": {"name": each}}


def _properties(facts: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": f"{OWN}{name}", "value": value} for name, value in facts if value]
