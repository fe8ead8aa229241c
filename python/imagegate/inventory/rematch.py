"""What is known of packages as the inventory has them, without their image: by matching them again, or by memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from imagegate.inventory import tables
from imagegate.inventory.model import Known
from imagegate.model import Package, PackageType, Vulnerability
from imagegate.vulnerability.database import AdvisoryDatabase
from imagegate.vulnerability.ecosystems import Query
from imagegate.vulnerability.matcher import Matcher


def package_of(row: Any) -> Package:
    """Return the package of a row of the table `component`."""
    return Package(
        row.name, row.version, PackageType(row.type), row.purl, source=row.source, source_version=row.source_version
    )


def vulnerability_of(package: Package, known: Known) -> Vulnerability:
    """Return a vulnerability as far as the inventory knows it: without scores and dates."""
    return Vulnerability(
        known.id,
        package,
        known.severity,
        known.fix,
        known.aliases,
        known.url,
        will_not_fix=known.will_not_fix,
        reason=known.reason,
        exploited=known.exploited,
    )


def remembered(connection: Connection, ids: Sequence[int]) -> Iterator[tuple[int, dict[str, Vulnerability]]]:
    """Yield components with what the inventory knows of them, as `Rematch` does."""
    component, finding = tables.component, tables.finding
    rows = connection.execute(
        select(component, finding.c.facts)
        .join(finding, finding.c.component == component.c.id)
        .where(component.c.id.in_(ids))
        .order_by(component.c.id)
    )
    for number, mine in groupby(rows, key=lambda row: row.id):
        found = [vulnerability_of(package_of(row), msgspec.json.decode(row.facts, type=Known)) for row in mine]
        yield number, {each.id: each for each in found}


class Rematch:
    """Matches components with one state of the advisory database. Raises AdvisoryError."""

    def __init__(self, advisories: AdvisoryDatabase) -> None:
        self._matcher = Matcher(advisories)

    def __call__(self, connection: Connection, ids: Sequence[int]) -> Iterator[tuple[int, dict[str, Vulnerability]]]:
        """Yield components, by their numbers, with what they have. ids: as many as one `IN` takes."""
        component = tables.component
        questions = self._questions(connection, ids)
        for row in connection.execute(select(component).where(component.c.id.in_(ids)).order_by(component.c.id)):
            queries = questions.get(row.id)
            yield row.id, {each.id: each for each in self._matcher.match(package_of(row), queries)} if queries else {}

    def _questions(self, connection: Connection, ids: Sequence[int]) -> dict[int, tuple[Query, ...]]:
        subject = tables.subject
        found: dict[int, tuple[Query, ...]] = defaultdict(tuple)
        for row in connection.execute(
            select(subject).where(subject.c.component.in_(ids)).order_by(subject.c.component, subject.c.position)
        ):
            found[row.component] += (Query(row.ecosystem, row.name, row.version),)
        return found
