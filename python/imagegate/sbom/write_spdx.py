"""Writes SPDX 2.3 as JSON. (SPDX 2.3, "Document creation information", "Package information", "Annotations".) Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from imagegate import __version__
from imagegate.model import Analysis, Distro, Package
from imagegate.sbom.naming import Names, is_expression, package_ids
from imagegate.sbom.spdx import OWN

_TOOL = f"Tool: imagegate-{__version__}"
_NOTHING_SAID = {"downloadLocation": "NOASSERTION", "filesAnalyzed": False, "copyrightText": "NOASSERTION"}
_DOCUMENT, _IMAGE = "SPDXRef-DOCUMENT", "SPDXRef-Image"


def render(analysis: Analysis, name: str, now: datetime) -> str:
    """Return the SBOM of an image that is called `registry/repository:tag`; the same for the same moment."""
    names = Names(analysis, name, now)
    licenses: dict[str, str] = {}
    ids = package_ids(analysis.packages)
    inside = [_package(each, id_, names, licenses) for each, id_ in zip(analysis.packages, ids, strict=True)]
    inside += [_distro(analysis.distro, names)] if analysis.distro else []
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": _DOCUMENT,
        "name": name,
        "documentNamespace": names.document,
        "creationInfo": {"created": names.time, "creators": [_TOOL]},
        "packages": [_image(analysis, names), *inside],
        "hasExtractedLicensingInfos": [
            {"licenseId": reference, "name": text, "extractedText": text} for text, reference in licenses.items()
        ],
        "relationships": [
            _relationship(_DOCUMENT, "DESCRIBES", _IMAGE),
            *(_relationship(_IMAGE, "CONTAINS", each["SPDXID"]) for each in inside),
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _image(analysis: Analysis, names: Names) -> dict[str, Any]:
    layers = ((f"layers:{number}", layer.digest) for number, layer in enumerate(analysis.layers))
    facts = [("name", f"{names.repository}:{names.tag}"), ("platform", str(analysis.platform)), *layers]
    return {
        "name": names.repository,
        "SPDXID": _IMAGE,
        "versionInfo": analysis.digest,
        "primaryPackagePurpose": "CONTAINER",
        "checksums": [{"algorithm": "SHA256", "checksumValue": analysis.digest.removeprefix("sha256:")}],
        "externalRefs": [_purl(names.purl)],
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "annotations": _annotations(facts, names),
        **_NOTHING_SAID,
    }


def _distro(distro: Distro, names: Names) -> dict[str, Any]:
    told = {
        "name": distro.id,
        "SPDXID": "SPDXRef-OperatingSystem",
        "versionInfo": distro.version,
        "summary": distro.name,
        "primaryPackagePurpose": "OPERATING-SYSTEM",
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "annotations": _annotations([("like", " ".join(distro.like)), ("codename", distro.codename)], names),
    }
    return {key: value for key, value in told.items() if value} | _NOTHING_SAID


def _package(package: Package, id_: str, names: Names, licenses: dict[str, str]) -> dict[str, Any]:
    facts = [("type", package.type.value), ("path", package.path), ("layer", package.layer or "")]
    told = {
        "name": package.name,
        "SPDXID": f"SPDXRef-Package-{id_}",
        "versionInfo": package.version,
        "sourceInfo": f"found in {package.path}" if package.path else "",
        "externalRefs": [_purl(package.purl)] if package.purl else [],
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": _declared(package.licenses, licenses),
        "annotations": _annotations(facts, names),
    }
    return {key: value for key, value in told.items() if value} | _NOTHING_SAID


def _declared(stated: Sequence[str], licenses: dict[str, str]) -> str:
    """Return a licence expression. What is not of SPDX's list is a LicenseRef, whose text stands in the document.

    licenses: those by their texts; those that are new are added.
    """
    parts = []
    for text in dict.fromkeys(filter(None, stated)):
        if not is_expression(text):
            digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
            parts.append(licenses.setdefault(text, f"LicenseRef-imagegate-{digest}"))
        elif len(stated) > 1 and " " in text:
            parts.append(f"({text})")
        else:
            parts.append(text)
    return " AND ".join(parts) or "NOASSERTION"


def _purl(purl: str) -> dict[str, str]:
    return {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}


def _annotations(facts: Iterable[tuple[str, str]], names: Names) -> list[dict[str, str]]:
    return [
        {
            "annotationDate": names.time,
            "annotationType": "OTHER",
            "annotator": _TOOL,
            "comment": f"{OWN}{name}={value}",
        }
        for name, value in facts
        if value
    ]


def _relationship(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
