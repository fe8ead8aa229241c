"""A Jenkins item's `config.xml`: what of it is ours, whether that is as we wrote it, and writing it without loss. Pure.

Jenkins never gives back what it was given: it adds `plugin` attributes, defaults, properties of other plugins, and
indents anew; administrators keep a folder's credentials in the same document. So a Shape says which places of a
document are ours. Two documents are the same when they say the same there, and what is not ours is never touched.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from copy import deepcopy
from unicodedata import category
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

import msgspec

from imagegate.errors import ConfigError

_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")
_MARK = re.compile(r"(?:^|\n)Managed by imagegate, owner ([^\n]+), sha256 ([0-9a-f]{64})\s*$")


class Shape(msgspec.Struct, frozen=True):
    """Which places below an element are ours. Without `members` and `whole`: its text.

    members: by tag. default: the text that means the same as no element at all; None: its being there says something.
    typed: its attribute `class` is ours. whole: it is a list, in which every element counts, known here or not.
    """

    members: Mapping[str, Shape] = {}
    default: str | None = ""
    typed: bool = False
    whole: bool = False

    @property
    def is_shared(self) -> bool:
        """Whether others keep something in the element too, so that it stays when what is ours in it goes."""
        return bool(self.members) and not self.whole and self.default is not None


class Mark(msgspec.Struct, frozen=True):
    """By what an item is known as ours, at the end of its description. checksum: of our places, as we wrote them."""

    owner: str
    checksum: str


def parse(raw: bytes, what: str) -> Element:
    """Return the root of a document. Raises ConfigError with `what` it is when it is no XML.

    Jenkins declares XML 1.1, which Python's parser refuses as such; what we read is the same in 1.0.
    """
    text = _DECLARATION.sub("", raw.decode("utf-8", "replace"), count=1)
    try:
        if "<!DOCTYPE" in text:
            raise ConfigError(f"{what} has a document type, which Jenkins writes none of")
        return ET.fromstring(text)  # noqa: S314 - entities need a document type
    except ET.ParseError as error:
        raise ConfigError(f"{what} cannot be read as XML", why=str(error)) from error


def serialized(root: Element) -> bytes:
    """Return a document as Jenkins writes it."""
    return b"<?xml version='1.1' encoding='UTF-8'?>\n" + ET.tostring(root, encoding="unicode").encode()


def child(parent: Element, tag: str, text: str = "", attributes: Mapping[str, str] | None = None) -> Element:
    """Add an element, and return it. Raises ConfigError for text that XML cannot hold."""
    unfit = next((each for each in text if not (each in "\n\t" or each.isprintable() or category(each) == "Zs")), "")
    if unfit:
        raise ConfigError(f"{text!r} holds {unfit!r}, which cannot be written into a job")
    added = ET.SubElement(parent, tag, dict(attributes or {}))
    added.text = text or None
    return added


def canonical(root: Element, shape: Shape) -> str:
    """Return our places of a document, as text that is the same whenever they say the same."""
    found = _ours(root, shape)
    ET.indent(found)
    return ET.tostring(found, encoding="unicode")


def checksum(text: str) -> str:
    """Return the SHA-256 of a canonical text."""
    return hashlib.sha256(text.encode()).hexdigest()


def overlay(theirs: Element, ours: Element, shape: Shape) -> None:
    """Make our places of a document say what `ours` says, and leave the others as they are."""
    if shape.typed and "class" in ours.attrib:
        theirs.set("class", ours.attrib["class"])
    if shape.whole or not shape.members:
        theirs[:] = [deepcopy(each) for each in ours]
        theirs.text = ours.text
        return
    for tag, inner in shape.members.items():
        before, after = theirs.findall(tag), ours.findall(tag)
        if len(before) == len(after) == 1:
            overlay(before[0], after[0], inner)
            continue
        for each in before:
            if not after and inner.is_shared:
                overlay(each, Element(tag), inner)
            else:
                theirs.remove(each)
        theirs.extend(deepcopy(each) for each in after)


def marked(root: Element, shape: Shape, owner: str) -> Element:
    """Return a copy of a document of ours with its mark."""
    mark = f"Managed by imagegate, owner {owner}, sha256 {checksum(canonical(root, shape))}"
    copy = deepcopy(root)
    description = copy.find("description")
    if description is None:
        description = ET.SubElement(copy, "description")
    description.text = f"{description.text}\n{mark}" if description.text else mark
    return copy


def read_mark(description: str | None) -> Mark | None:
    """Return the mark of an item, None where it has none."""
    match = _MARK.search((description or "").replace("\r\n", "\n"))
    return Mark(match[1], match[2]) if match else None


def unmarked(root: Element) -> Element:
    """Return a copy of a document without its mark."""
    copy = deepcopy(root)
    for description in copy.findall("description"):
        description.text = _MARK.sub("", (description.text or "").replace("\r\n", "\n"))
    return copy


def _ours(element: Element, shape: Shape) -> Element:
    found = Element(element.tag)
    if shape.typed and element.get("class"):
        found.set("class", element.get("class", ""))
    if not shape.members and not shape.whole:
        found.text = (element.text or "").replace("\r\n", "\n").strip()
        return found
    kept = []
    for each in element:
        inner = shape.members.get(each.tag)
        if inner is not None:
            ours = _ours(each, inner)
            kept += [ours] if shape.whole or _says_something(ours, inner) else []
        elif shape.whole:
            kept.append(Element(each.tag))
    # Order means nothing in Jenkins's documents but for lists, and in ours not there either.
    found.extend(sorted(kept, key=lambda each: ET.tostring(each, encoding="unicode")))
    return found


def _says_something(ours: Element, shape: Shape) -> bool:
    return shape.default is None or len(ours) > 0 or bool(ours.attrib) or (ours.text or "") != shape.default
