"""Inventories that tests share: what is put in, and what is in them whatever their numbers are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from imagegate.inventory import tables
from imagegate.inventory.export import lines
from imagegate.inventory.model import NotableFile, Promoted, Variant
from imagegate.inventory.recording import record
from imagegate.inventory.restore import restore
from imagegate.inventory.store import Inventory
from imagegate.model import Distro, Package, PackageType, Severity, Vulnerability

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BOOKWORM = Distro("debian", "12")
JAR = NotableFile("/app/lib/log4j-core-2.14.1.jar", "aa" * 32)
REGISTRY = "registry.example.com"


def deb(name: str, version: str = "1.0-1", source: str = "") -> Package:
    return Package(name, version, PackageType.DPKG, f"pkg:deb/debian/{name}@{version}", source=source)


def npm(name: str, version: str = "1.0.0") -> Package:
    return Package(name, version, PackageType.NPM, f"pkg:npm/{name}@{version}")


LOG4J = Package(
    "log4j-core", "2.14.1", PackageType.JAVA, "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1", "/app/lib/x.jar"
)
LOG4SHELL = Vulnerability(
    "CVE-2021-44228", LOG4J, Severity.CRITICAL, "2.15.0", ("GHSA-jfh8-c2jp-5v3q",), reason="2.14.1 < 2.15.0"
)


def image(name: str, *packages: Package, files: tuple[NotableFile, ...] = (), **fields: Any) -> Promoted:
    digest = fields.pop("digest", f"sha256:{sum(name.encode()):064x}")
    platform = fields.pop("platform", "linux/amd64")
    variants = (Variant(platform, digest, BOOKWORM, packages, fields.pop("base_layers", ()), files),)
    return Promoted(
        f"{REGISTRY}/{name}", digest, fields.pop("tags", ("1.0",)), fields.pop("promoted_at", NOW), variants, **fields
    )


def fill(inventory: Inventory) -> None:
    """Put in a base, an application on it, and one with Log4Shell."""
    record(inventory, image("base", deb("zlib1g", source="zlib"), deb("openssl"), digest="sha256:b"))
    record(
        inventory,
        image(
            "shop",
            deb("zlib1g", source="zlib"),
            deb("openssl"),
            npm("lodash"),
            files=(JAR,),
            base=f"{REGISTRY}/base:1.0",
            base_digest="sha256:b",
            team="shop",
            policy='{"id": "p"}',
            waivers=("w/1",),
            signers=("targets",),
        ),
    )
    record(
        inventory,
        image("pay", LOG4J, npm("lodash", "2.0.0"), files=(JAR,), team="pay", tags=("2.0", "latest")),
        state=("lineage", 7),
        vulnerabilities=[LOG4SHELL],
    )


def export(inventory: Inventory) -> list[bytes]:
    with inventory.reading() as connection:
        return list(lines(connection, inventory.revision, NOW))


def take(inventory: Inventory, document: Sequence[bytes]) -> int:
    return restore(inventory, document, "export.jsonl").came


_NAMES = {"bucket": "key", "component": "key", "file": "key", "state": "number", "promotion": "digest"}


def content(inventory: Inventory) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of all tables, with what rows refer to in place of its number."""
    with inventory.reading() as connection:
        names: dict[str, dict[int, object]] = {"variant": {}}
        for name, column in _NAMES.items():
            table = tables.METADATA.tables[name]
            rows = connection.execute(select(table.c.id, table.c[column]))
            names[name] = {number: bytes(value) if column == "key" else value for number, value in rows}
        variants = select(tables.variant.c.id, tables.variant.c.digest)
        names["variant"] = {row.id: row.digest for row in connection.execute(variants)}
        found: dict[str, list[tuple[object, ...]]] = {}
        for table in tables.METADATA.sorted_tables:
            columns = [column for column in table.columns if column.name != "id"]
            found[table.name] = sorted(
                (
                    tuple(
                        repr(names[column.name].get(value, value) if column.name in names else value)
                        for column, value in zip(columns, row, strict=True)
                    )
                    for row in connection.execute(select(*columns))
                ),
            )
        return found
