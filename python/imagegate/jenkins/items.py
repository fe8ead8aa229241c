"""Items of Jenkins as values: where one is, what it is to be, what was found of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from imagegate.jenkins.configxml import Mark, Shape, checksum, read_mark
from imagegate.jenkins.shapes import FOLDER_CLASS


class Place(msgspec.Struct, frozen=True, order=True):
    """Where an item is: the names of its folders and its own, or the name of a view at the root."""

    path: tuple[str, ...]
    is_view: bool = False

    @property
    def name(self) -> str:
        """Its full name, as Jenkins and this command's user write it."""
        return "/".join(self.path)

    @property
    def parent(self) -> Place:
        """The folder that it is in; of one at the root, the place with no name."""
        return Place(self.path[:-1])

    @property
    def key(self) -> Place:
        """What two names have in common that are one to Jenkins, which does not tell capitals apart."""
        return Place(tuple(each.lower() for each in self.path), self.is_view)

    def __str__(self) -> str:
        return f"view {self.name}" if self.is_view else self.name


class Item(msgspec.Struct, frozen=True):
    """One that is to be. document: its `config.xml` without the mark; ours: the canonical text of our places in it.

    container: whether it is only there to hold others, and any folder will do.
    """

    place: Place
    class_name: str
    shape: Shape
    document: bytes
    ours: str
    container: bool = False

    @property
    def checksum(self) -> str:
        """Of our places in it."""
        return checksum(self.ours)


class Listed(msgspec.Struct, frozen=True):
    """One that is there, as lists tell it."""

    place: Place
    class_name: str
    mark: Mark | None = None

    @property
    def is_folder(self) -> bool:
        """Whether items can be made in it; those in a multibranch pipeline are Jenkins's own."""
        return self.class_name == FOLDER_CLASS


def listing(document: Mapping[str, Any], parent: tuple[str, ...] = ()) -> list[Listed]:
    """Return the items that an answer of Jenkins's API tells of, those of folders behind their folder.

    document: of `<folder>/api/json?tree=` with `jobs[name,description,jobs[…]]` and `views[name,description]`.
    """
    found: list[Listed] = []
    for each in document.get("jobs") or ():
        place = Place((*parent, each["name"]))
        listed = Listed(place, str(each.get("_class", "")), read_mark(each.get("description")))
        found.append(listed)
        if listed.is_folder:
            found += listing(each, place.path)
    if not parent:
        found += (
            Listed(Place((each["name"],), is_view=True), str(each.get("_class", "")), read_mark(each["description"]))
            for each in document.get("views") or ()
            if "description" in each
        )
    return found
