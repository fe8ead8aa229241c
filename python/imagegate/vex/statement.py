"""Statements of VEX documents, and which findings they are about. Pure.

What OpenVEX and CycloneDX say alike is told in OpenVEX's words. (OpenVEX 0.2.0, "VEX Statements", "Status Labels".)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from imagegate.model import AllowlistMatch, Digest, Finding, Problem, VexMatch
from imagegate.vex.product import Product

LIST_ID = "vex"
"""What stands in a finding for the allowlist that lets it through."""
_SHOWN = 5


class Status(StrEnum):
    """What a statement says of a vulnerability in a product."""

    NOT_AFFECTED = "not_affected"
    AFFECTED = "affected"
    FIXED = "fixed"
    UNDER_INVESTIGATION = "under_investigation"

    @property
    def suppresses(self) -> bool:
        """Whether a finding that the statement is about does not count."""
        return self in (Status.NOT_AFFECTED, Status.FIXED)


class Statement(msgspec.Struct, frozen=True):
    """What somebody says of a vulnerability, under all its ids, in some products.

    at: when it was said; detail: in the author's own words; document: its id; file, place: where it stands.
    """

    vulnerability: tuple[str, ...]
    products: tuple[Product, ...]
    status: Status
    at: datetime
    author: str
    document: str
    file: str
    place: str
    justification: str = ""
    detail: str = ""

    def is_about(self, finding: Finding, tag: str, digest: Digest) -> bool:
        """Say whether one of the products is the package of the finding, of the image of this name and digest."""
        return any(product.holds(finding.package, tag, digest) for product in self.products)


class Statements:
    """The statements that are in force for one evaluation, and which of them were of use."""

    def __init__(self, statements: Sequence[Statement], now: datetime) -> None:
        self._statements, self._now = statements, now
        self._used: set[int] = set()
        self._early: dict[str, None] = {}
        self._by_id: dict[str, list[int]] = {}
        for number, statement in enumerate(statements):
            for name in statement.vulnerability:
                self._by_id.setdefault(name.upper(), []).append(number)

    def apply(self, finding: Finding, tag: str, digest: Digest) -> Finding:
        """Return the finding, let through when the last statement on it says that it does not count."""
        if not finding.vulnerability or not self._statements:
            return finding
        names = (finding.vulnerability, *finding.aliases)
        numbers = {number for name in names for number in self._by_id.get(name.upper(), ())}
        matching = [number for number in numbers if self._statements[number].is_about(finding, tag, digest)]
        self._used.update(matching)
        if not matching or finding.allowlisted:
            return finding
        # OpenVEX, "Document Integrity": of statements on the same matter the one with the latest time stamp holds.
        last = self._statements[max(matching, key=lambda number: (self._statements[number].at, number))]
        if not last.status.suppresses:
            return finding
        if last.at > self._now:
            self._early[f"{last.place} is dated {last.at:%Y-%m-%dT%H:%M:%SZ}, which is yet to come"] = None
            return finding
        return _let_through(finding, last)

    def problems(self, tag: str, digest: Digest) -> Iterator[Problem]:
        """Yield what to tell of the statements, once all findings were looked at; none is an error."""
        for what in self._early:
            yield Problem("warn", "vex_early", what)
        unused: dict[str, list[str]] = {}
        for number, statement in enumerate(self._statements):
            ours = any(product.is_in(tag, digest) for product in statement.products) or not statement.products
            if ours and statement.status.suppresses and number not in self._used:
                unused.setdefault(statement.file, []).append(statement.vulnerability[0])
        for file, names in unused.items():
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            listed = ", ".join(name[:80] for name in names[:_SHOWN])
            yield Problem("warn", "vex_unused", f"VEX {file} lets nothing through for {listed}{more}")


def _let_through(finding: Finding, statement: Statement) -> Finding:
    why = statement.justification or statement.detail
    match = VexMatch(
        status=statement.status.value,
        author=statement.author,
        document=statement.document,
        place=statement.place,
        at=statement.at,
        justification=statement.justification,
        detail=statement.detail,
    )
    told = f"{statement.author}: {statement.status.value}{f' ({why})' if why else ''}, {statement.at:%Y-%m-%d}"
    return msgspec.structs.replace(finding, allowlisted=AllowlistMatch(LIST_ID, told, statement.place), vex=match)
