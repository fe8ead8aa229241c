"""Walking a document of plain values and noting every mistake with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any, TypeVar

from imagegate.policy.pattern import compile_pattern

_Read = TypeVar("_Read")


class Reader:
    """Keeps on after a mistake; what it returns counts only when there was none."""

    def __init__(self) -> None:
        self.mistakes: list[str] = []

    def unique(self, place: str, ids: list[str]) -> None:
        for id_ in sorted({id_ for id_ in ids if id_ and ids.count(id_) > 1}):
            self.mistake(place, f"the id {id_!r} stands more than once")

    def each(
        self,
        document: dict[str, Any],
        key: str,
        place: str,
        read: Callable[[dict[str, Any], str], _Read],
        *,
        required: bool = False,
    ) -> Iterator[_Read]:
        """Read every member of a list of mappings."""
        where = f"{place}.{key}" if place else key
        entries = document.get(key)
        if entries is None or entries == "":
            if required:
                self.mistake(where, "it is missing")
            return
        if not isinstance(entries, list):
            self.mistake(where, "it is no list")
            return
        for index, entry in enumerate(entries):
            if isinstance(entry, dict):
                yield read(entry, f"{where}[{index}]")
            else:
                self.mistake(f"{where}[{index}]", "it is no mapping of keys")

    def text(
        self, document: dict[str, Any], key: str, place: str, *, required: bool = True, empty: bool = False
    ) -> str:
        value = document.get(key)
        where = f"{place}.{key}" if place else key
        if value is None or (value == "" and not empty):
            if required:
                self.mistake(where, "it is missing")
            return ""
        if not isinstance(value, str):
            self.mistake(where, f"{value!r} is no text; put it in quotes")
            return ""
        return value

    def texts(self, document: dict[str, Any], key: str, place: str) -> tuple[str, ...]:
        value = document.get(key)
        if value is None or value == "":
            return ()
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            self.mistake(f"{place}.{key}", "it is no list of texts")
            return ()
        return tuple(value)

    def pattern(self, document: dict[str, Any], key: str, place: str) -> str:
        text = self.text(document, key, place)
        try:
            compile_pattern(text)
        except ValueError as error:
            self.mistake(f"{place}.{key}", str(error))
        return text

    def near_misses(self, document: dict[str, Any], known: list[str], place: str) -> None:
        """Unknown keys are kept, for servers that know them; one that looks misspelt is a mistake all the same."""
        for key in document:
            if (
                key not in known
                and (near := get_close_matches(key, known, n=1, cutoff=0.8))
                and near[0] not in document
            ):
                self.mistake(f"{place}.{key}" if place else key, f"did you mean {near[0]!r}?")

    def mistake(self, place: str, what: str) -> None:
        self.mistakes.append(f"{place}: {what}")
