"""OpenVEX documents. (OpenVEX specification 0.2.0, "Document", "Statement Fields", "Product Data Structure".)"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from imagegate.errors import VexError
from imagegate.jsonfile import JsonFile
from imagegate.vex.product import ImageName, Product, image_name, is_image
from imagegate.vex.statement import Statement, Status
from imagegate.vex.times import moment

CONTEXT = "https://openvex.dev/ns/v0.2.0"
_CONTEXTS = "https://openvex.dev/ns/v0.2."
JUSTIFICATIONS = (
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
)
"""("Status Justifications".)"""


class _Component(msgspec.Struct):
    id: str = msgspec.field(default="", name="@id")
    identifiers: dict[str, str] = {}
    hashes: dict[str, str] = {}

    @property
    def names(self) -> tuple[str, ...]:
        purl = self.identifiers.get("purl", "")
        return tuple(dict.fromkeys(filter(None, (purl, self.id))))

    @property
    def image(self) -> ImageName | None:
        """The image that it is. A hash tells more than any name."""
        found = next((image for image in map(image_name, self.names) if image), None)
        digest = self.hashes.get("sha-256", "").lower()
        return ImageName(digest=f"sha256:{digest}") if digest and (found or not self.package) else found

    @property
    def package(self) -> str:
        """Its purl, when it is a package."""
        return next((name for name in self.names if name.startswith("pkg:") and not is_image(name)), "")


class _Product(_Component):
    subcomponents: list[_Component] = []


class _Vulnerability(msgspec.Struct):
    name: str = ""
    id: str = msgspec.field(default="", name="@id")
    aliases: list[str] = []


class _Statement(msgspec.Struct):
    vulnerability: _Vulnerability
    status: Status
    id: str = msgspec.field(default="", name="@id")
    products: list[_Product] = []
    timestamp: str = ""
    last_updated: str = ""
    justification: str = ""
    impact_statement: str = ""
    status_notes: str = ""


class _Document(msgspec.Struct):
    context: str = msgspec.field(name="@context")
    statements: list[_Statement]
    author: str
    timestamp: str
    id: str = msgspec.field(default="", name="@id")


def read(file: JsonFile) -> tuple[Statement, ...]:
    """Return the statements of a document. Raises VexError with every mistake, a line each."""
    document = file.decode(_Document)
    if not document.context.startswith(_CONTEXTS):
        raise VexError(
            f"{file.path} is OpenVEX of a version that is not read",
            why=f"its @context is {document.context[:80]!r}",
            hint=f"Write it as {CONTEXT}.",
        )
    mistakes: list[str] = []
    found = []
    for number, stated in enumerate(document.statements, 1):
        place = f"{file.path}: statement {number}"
        mistakes += (f"{place}: {what}" for what in _mistakes(stated))
        found.append(
            Statement(
                vulnerability=tuple(
                    filter(None, (stated.vulnerability.name, *stated.vulnerability.aliases, stated.vulnerability.id))
                ),
                products=tuple(product for each in stated.products for product in _products(each)),
                status=stated.status,
                at=moment(stated.last_updated or stated.timestamp or document.timestamp, place, mistakes),
                author=document.author or "nobody",
                document=document.id,
                file=str(file.path),
                place=place,
                justification=stated.justification,
                detail=stated.impact_statement or stated.status_notes,
            )
        )
    if mistakes:
        raise VexError("VEX documents have mistakes:\n  " + "\n  ".join(mistakes))
    return tuple(found)


def _mistakes(stated: _Statement) -> Iterator[str]:
    if not stated.vulnerability.name:
        yield "it names no vulnerability"
    if stated.justification and stated.justification not in JUSTIFICATIONS:
        yield f"{stated.justification[:80]!r} is no justification: {', '.join(JUSTIFICATIONS)}"
    if stated.status is Status.NOT_AFFECTED and not (stated.justification or stated.impact_statement):
        yield "not_affected needs a justification or an impact_statement"


def _products(stated: _Product) -> Iterator[Product]:
    """Yield what a product stands for.

    A package that is said to be in another package is left out: nothing tells which package of an image is in which.
    """
    image = stated.image
    parts = [each.package for each in stated.subcomponents]
    if image:
        yield from (Product(image, package) for package in parts if package)
        if not parts:
            yield Product(image)
    elif stated.package and not parts:
        yield Product(None, stated.package)
