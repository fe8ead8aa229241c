"""CycloneDX documents that say how vulnerabilities affect what they are about.

(CycloneDX 1.4 to 1.6, bom-1.x.schema.json: "vulnerabilities[].analysis", "affects"; BOM-Link, "urn:cdx".)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

import msgspec

from imagegate.errors import VexError
from imagegate.jsonfile import JsonFile
from imagegate.sbom.cyclonedx import Bom, Part, check_version
from imagegate.vex.product import ImageName, Product, image_name, is_image, parse_purl
from imagegate.vex.statement import Statement, Status
from imagegate.vex.times import NEVER, moment

_LINK = re.compile(r"urn:cdx:(?P<serial>[0-9a-fA-F-]{36})/(?P<version>[1-9][0-9]*)(?:#(?P<ref>.+))?")
STATES = {
    "resolved": Status.FIXED,
    "resolved_with_pedigree": Status.FIXED,
    "exploitable": Status.AFFECTED,
    "in_triage": Status.UNDER_INVESTIGATION,
    "false_positive": Status.NOT_AFFECTED,
    "not_affected": Status.NOT_AFFECTED,
}
"""("impactAnalysisState".)"""
JUSTIFICATIONS = {
    "code_not_present": "vulnerable_code_not_present",
    "code_not_reachable": "vulnerable_code_not_in_execute_path",
    "protected_by_compiler": "inline_mitigations_already_exist",
    "protected_at_runtime": "inline_mitigations_already_exist",
    "protected_at_perimeter": "inline_mitigations_already_exist",
    "protected_by_mitigating_control": "inline_mitigations_already_exist",
}
"""("impactAnalysisJustification".) What OpenVEX has no word for is told in the detail."""


class _Analysis(msgspec.Struct, rename="camel"):
    state: str = ""
    justification: str = ""
    detail: str = ""
    first_issued: str = ""
    last_updated: str = ""


class _Version(msgspec.Struct):
    version: str = ""
    range: str = ""
    status: str = "affected"


class _Affected(msgspec.Struct):
    ref: str
    versions: list[_Version] = []


class _Alias(msgspec.Struct):
    id: str = ""


class _Vulnerability(msgspec.Struct):
    id: str = ""
    references: list[_Alias] = []
    analysis: _Analysis = msgspec.field(default_factory=_Analysis)
    affects: list[_Affected] = []
    updated: str = ""


class Document(Bom):
    """A document with its vulnerabilities."""

    vulnerabilities: list[_Vulnerability] = msgspec.field(default_factory=list)


class _Places:
    """What the references of one document stand for: its components, each in the image that it is of."""

    def __init__(self, document: Document, mistakes: list[str], file: str) -> None:
        self.subject = document.metadata.component
        self.image = self.subject.image if self.subject else None
        self.products: dict[str, Product | None] = {}
        for part in document.components:
            self._add(part, self.image, mistakes, file)
        if self.subject:
            # Without its image's name, what the document is about stands for nothing: it could be anything.
            own = Product(self.image) if self.image else None
            for part in self.subject.components:
                self._add(part, self.image, mistakes, file)
            if self.subject.bom_ref:
                self.products[self.subject.bom_ref] = own
            self.whole = own
        else:
            self.whole = None

    def _add(self, part: Part, image: ImageName | None, mistakes: list[str], file: str) -> None:
        waiting = [(part, image)]
        while waiting:
            each, within = waiting.pop()
            if each.type == "container" or is_image(each.purl):
                within = each.image or ImageName()
                found = Product(each.image) if each.image else None
            else:
                found = self.package(each.purl, within)
            if each.bom_ref:
                if each.bom_ref in self.products:
                    mistakes.append(f"{file}: the bom-ref {each.bom_ref[:80]!r} stands twice")
                self.products[each.bom_ref] = found
            waiting += [(inner, within) for inner in each.components]

    def package(self, purl: str, image: ImageName | None) -> Product | None:
        """Return the package of a purl, in the image where there is one; None when it cannot be told."""
        if not purl or parse_purl(purl) is None or (self.subject and self.image is None and image is None):
            return None
        return Product(image, purl)

    def find(self, ref: str) -> Product | None:
        """Return what a reference of this document, or a purl in its place, stands for."""
        if ref in self.products:
            return self.products[ref]
        if not ref.startswith("pkg:"):
            return None
        image = image_name(ref) if is_image(ref) else None
        if is_image(ref):
            return Product(image) if image else None
        return self.package(ref, self.image)


def read_all(files: list[JsonFile]) -> tuple[Statement, ...]:
    """Return the statements of documents; a BOM-Link is followed into those that are given.

    Raises VexError with every mistake, a line each.
    """
    mistakes: list[str] = []
    read: list[tuple[JsonFile, Document, _Places]] = []
    links: dict[tuple[str, int], _Places] = {}
    for file in files:
        document = file.decode(Document)
        check_version(file, document, VexError)
        places = _Places(document, mistakes, str(file.path))
        read.append((file, document, places))
        serial = document.serial_number.removeprefix("urn:uuid:").lower()
        links[serial, document.revision] = places
    found = [
        statement
        for file, document, places in read
        for statement in _statements(file, document, places, links, mistakes)
    ]
    if mistakes:
        raise VexError("VEX documents have mistakes:\n  " + "\n  ".join(mistakes))
    return tuple(found)


def _statements(
    file: JsonFile,
    document: Document,
    places: _Places,
    links: Mapping[tuple[str, int], _Places],
    mistakes: list[str],
) -> Iterator[Statement]:
    for number, stated in enumerate(document.vulnerabilities, 1):
        place = f"{file.path}: vulnerability {number}"
        analysis = stated.analysis
        if not analysis.state:
            continue  # An SBOM may list vulnerabilities and say nothing of them.
        if analysis.state not in STATES:
            mistakes.append(f"{place}: {analysis.state[:80]!r} is no state: {', '.join(STATES)}")
            continue
        if not stated.id:
            mistakes.append(f"{place}: it has no id")
            continue
        when = analysis.last_updated or analysis.first_issued or stated.updated or document.metadata.timestamp
        products = (_product(each, places, links) for each in stated.affects)
        untold = analysis.justification if analysis.justification not in JUSTIFICATIONS else ""
        state = analysis.state if analysis.state == "false_positive" else ""
        yield Statement(
            vulnerability=(stated.id, *(each.id for each in stated.references if each.id)),
            products=tuple(product for product in products if product),
            status=STATES[analysis.state],
            at=moment(when, place, mistakes) if when else NEVER,
            author=_author(document),
            document=f"{document.serial_number}/{document.revision}" if document.serial_number else "",
            file=str(file.path),
            place=place,
            justification=JUSTIFICATIONS.get(analysis.justification, ""),
            detail=": ".join(filter(None, (state or untold, analysis.detail))),
        )


def _product(affected: _Affected, places: _Places, links: Mapping[tuple[str, int], _Places]) -> Product | None:
    """Return what a vulnerability is said to affect, None when that cannot be told.

    Of versions, only those count that are said to be unaffected: a range is not compared here.
    """
    found = _referred(affected.ref, places, links)
    if found is None or not affected.versions:
        return found
    purl = parse_purl(found.package) if found.package else None
    named = purl.version if purl else ""
    unaffected = [each.version for each in affected.versions if each.status == "unaffected" and each.version]
    if not purl or (named and named not in unaffected):
        return None
    if named:
        return found
    if len(unaffected) != 1:
        return None
    pinned = type(purl)(purl.type, purl.namespace, purl.name, unaffected[0], purl.qualifiers, purl.subpath)
    return Product(found.image, pinned.to_string())


def _referred(ref: str, places: _Places, links: Mapping[tuple[str, int], _Places]) -> Product | None:
    link = _LINK.fullmatch(ref)
    if not link:
        return places.find(ref)
    inner = unquote(link["ref"] or "")
    there = links.get((link["serial"].lower(), int(link["version"][:9])))
    if there is None:
        # Whose document is not given: a fragment that is a package's own purl tells enough.
        return places.find(inner) if inner.startswith("pkg:") and not is_image(inner) else None
    return there.find(inner) if inner else there.whole


def _author(document: Document) -> str:
    names = (document.metadata.author, document.serial_number)
    return next(filter(None, names), "an author who is not named")
