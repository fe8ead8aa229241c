"""Make a vulnerability database for grype out of OSV records: schema v6, an SQLite file that `grype db import` takes.

The real one cannot be had without network. Tables and blobs are those of grype's own source, `models.go` and `blobs.go`
of `grype/db/v6`; only what the records need is made, for an import adds all other tables and the indexes.

    python -m lab.grypedb TARGET.db RECORDS.json...
"""

from __future__ import annotations

import gzip
import json
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TABLES = """
CREATE TABLE db_metadata (build_timestamp datetime NOT NULL, model integer NOT NULL, revision integer NOT NULL,
    addition integer NOT NULL);
CREATE TABLE blobs (id integer PRIMARY KEY AUTOINCREMENT, value text NOT NULL);
CREATE TABLE providers (id text PRIMARY KEY, version text, processor text, date_captured datetime, input_digest text);
CREATE TABLE vulnerability_handles (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL, status text NOT NULL,
    published_date datetime, modified_date datetime, withdrawn_date datetime, provider_id text NOT NULL,
    blob_id integer);
CREATE TABLE operating_systems (id integer PRIMARY KEY AUTOINCREMENT, name text, release_id text, major_version text,
    minor_version text, label_version text, codename text, channel text, eol_date datetime, eoas_date datetime);
CREATE TABLE packages (id integer PRIMARY KEY AUTOINCREMENT, ecosystem text, name text);
CREATE TABLE affected_package_handles (id integer PRIMARY KEY AUTOINCREMENT, vulnerability_id integer NOT NULL,
    operating_system_id integer, package_id integer, blob_id integer);
CREATE TABLE known_exploited_vulnerability_handles (id integer PRIMARY KEY AUTOINCREMENT, cve text NOT NULL,
    blob_id integer);
CREATE TABLE epss_handles (id integer PRIMARY KEY AUTOINCREMENT, cve text NOT NULL, epss real NOT NULL,
    percentile real NOT NULL);
CREATE TABLE epss_metadata (date datetime NOT NULL);
"""

VERSION = (6, 1, 4)

FORMATS = {
    "PyPI": ("python", "python"),
    "npm": ("npm", "semver"),
    "RubyGems": ("gem", "gem"),
    "Go": ("go-module", "go"),
    "Maven": ("java-archive", "maven"),
    "crates.io": ("rust-crate", "semver"),
    "Packagist": ("php-composer", "semver"),
    "Debian": ("deb", "dpkg"),
    "Ubuntu": ("deb", "dpkg"),
    "Alpine": ("apk", "apk"),
}
"""OSV's ecosystem to syft's package type, under which the database has packages, and grype's order of versions."""

CODENAMES = {"10": "buster", "11": "bullseye", "12": "bookworm", "13": "trixie"}

Record = Mapping[str, Any]


def write(
    target: Path,
    records: Iterable[Record],
    *,
    built: datetime,
    captured: datetime | None = None,
    exploited: Iterable[str] = (),
    scores: Mapping[str, tuple[float, float]] | None = None,
) -> int:
    """Write a database and return how many records went into it.

    captured: when the providers' data was fetched. exploited: CVEs that are; scores: EPSS and percentile by CVE.
    """
    target.unlink(missing_ok=True)
    connection = sqlite3.connect(target)
    try:
        connection.executescript(TABLES)
        connection.execute("INSERT INTO db_metadata VALUES (?, ?, ?, ?)", (_time(built), *VERSION))
        writer = _Writer(connection, captured or built)
        count = sum(writer.add(record) for record in records)
        for cve in exploited:
            writer.exploited(cve)
        for cve, (epss, percentile) in (scores or {}).items():
            writer.score(cve, epss, percentile)
        connection.commit()
    finally:
        connection.close()
    return count


class _Writer:
    def __init__(self, connection: sqlite3.Connection, captured: datetime) -> None:
        self._connection, self._captured = connection, captured
        self._packages: dict[tuple[str, str], int] = {}
        self._systems: dict[str, int] = {}
        self._providers: set[str] = set()

    def add(self, record: Record) -> bool:
        """Add a record, as one vulnerability for each CVE of a distribution's, and as itself of any other."""
        parts = [part for part in record.get("affected", ()) if _family(part) in FORMATS]
        if record.get("withdrawn") or not parts:
            return False
        for distro in (True, False):
            mine = [part for part in parts if (":" in part["package"]["ecosystem"]) is distro]
            for name in (_cves(record) or [record["id"]]) if distro else [record["id"]]:
                if mine:
                    self._vulnerability(record, name, mine)
        return True

    def exploited(self, cve: str) -> None:
        """Add a CVE to the known exploited ones."""
        self._provide("kev")
        self._insert("known_exploited_vulnerability_handles", cve=cve, blob_id=self._blob({"cve": cve}))

    def score(self, cve: str, epss: float, percentile: float) -> None:
        """Add an EPSS score."""
        if "epss" not in self._providers:
            self._insert("epss_metadata", date=_time(self._captured))
        self._provide("epss")
        self._insert("epss_handles", cve=cve, epss=epss, percentile=percentile)

    def _vulnerability(self, record: Record, name: str, parts: list[Any]) -> None:
        family = _family(parts[0])
        provider = family.lower() if ":" in parts[0]["package"]["ecosystem"] else "github"
        self._provide(provider)
        blob = {
            "id": name,
            "description": record.get("summary", ""),
            "refs": [{"url": reference["url"]} for reference in record.get("references", ())],
            "aliases": sorted({*record.get("aliases", ()), record["id"]} - {name}),
            "severities": list(_severities(record, parts[0])),
        }
        number = self._insert(
            "vulnerability_handles",
            name=name,
            status="active",
            published_date=record.get("published"),
            modified_date=record.get("modified"),
            provider_id=provider,
            blob_id=self._blob(blob),
        )
        for part in parts:
            kind, order = FORMATS[_family(part)]
            ranges = list(_ranges(part, order))
            body = {"cves": [each for each in record.get("aliases", ()) if each.startswith("CVE-")], "ranges": ranges}
            self._insert(
                "affected_package_handles",
                vulnerability_id=number,
                operating_system_id=self._system(part["package"]["ecosystem"]),
                package_id=self._package(kind, part["package"]["name"]),
                blob_id=self._blob(body),
            )

    def _provide(self, provider: str) -> None:
        if provider not in self._providers:
            self._providers.add(provider)
            self._insert(
                "providers",
                id=provider,
                version="1",
                processor="lab",
                date_captured=_time(self._captured),
                input_digest="xxh64:0",
            )

    def _system(self, ecosystem: str) -> int | None:
        name, colon, release = ecosystem.partition(":")
        if not colon:
            return None
        if ecosystem not in self._systems:
            major, _, minor = release.removeprefix("v").partition(".")
            self._systems[ecosystem] = self._insert(
                "operating_systems",
                name=name.lower(),
                release_id=name.lower(),
                major_version=major,
                minor_version=minor,
                label_version="",
                codename=CODENAMES.get(major, "") if name == "Debian" else "",
                channel="",
            )
        return self._systems[ecosystem]

    def _package(self, kind: str, name: str) -> int:
        key = (kind, name.lower())
        if key not in self._packages:
            self._packages[key] = self._insert("packages", ecosystem=kind, name=name)
        return self._packages[key]

    def _blob(self, value: Any) -> int:
        return self._insert("blobs", value=json.dumps(value))

    def _insert(self, table: str, **values: Any) -> int:
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        sql = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 - the names are this file's
        return int(self._connection.execute(sql, tuple(values.values())).lastrowid or 0)


def _family(part: Any) -> str:
    return str(part["package"]["ecosystem"]).partition(":")[0]


def _cves(record: Record) -> list[str]:
    names = [record["id"].removeprefix("DEBIAN-"), *record.get("aliases", ()), *record.get("upstream", ())]
    return sorted({name for name in names if name.startswith("CVE-")})


def _severities(record: Record, part: Any) -> Iterator[dict[str, Any]]:
    word = (part.get("ecosystem_specific") or {}).get("urgency") or (record.get("database_specific") or {}).get(
        "severity"
    )
    if word:
        yield {"scheme": "CHMLN", "value": str(word).lower().replace("moderate", "medium"), "rank": 1}
    for rank, vector in enumerate((*part.get("severity", ()), *record.get("severity", ())), 2):
        version = vector["score"].partition("/")[0].removeprefix("CVSS:") if ":" in vector["score"][:5] else "2.0"
        value = {"vector": vector["score"], "version": version}
        yield {"scheme": "CVSS", "value": value, "source": "lab", "rank": rank}


def _ranges(part: Any, order: str) -> Iterator[dict[str, Any]]:
    """Turn OSV's events into grype's constraints, as its own transformer of OSV does."""
    found = False
    for bounds in part.get("ranges", ()):
        if bounds["type"] == "GIT":
            continue
        lower, opened = "", False
        for event in bounds["events"]:
            ((kind, version),) = list(event.items())[:1]
            if kind == "introduced":
                lower = "" if version == "0" else f">={version}"
                opened = True
            elif kind in ("fixed", "last_affected"):
                sign = "<" if kind == "fixed" else "<="
                constraint = ",".join(filter(None, (lower, f"{sign}{version}")))
                fix = {"version": version, "state": "fixed"} if kind == "fixed" else {"state": "not-fixed"}
                yield {"version": {"type": order, "constraint": constraint}, "fix": fix}
                found, opened = True, False
        if opened:
            yield {"version": {"type": order, "constraint": lower}, "fix": {"state": "not-fixed"}}
            found = True
    if not found and part.get("versions"):
        constraint = " || ".join(f"={version}" for version in part["versions"])
        yield {"version": {"type": order, "constraint": constraint}, "fix": {"state": "unknown"}}


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S+00:00")


def read(file: Path) -> list[Any]:
    """Return the OSV records of a file: JSON, or JSON lines, gzip or not."""
    raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    if file.name.removesuffix(".gz").endswith(".jsonl"):
        return [json.loads(line) for line in raw.splitlines()]
    document = json.loads(raw)
    return document if isinstance(document, list) else [document]


def main(target: str, *files: str) -> None:
    records = [record for file in files for record in read(Path(file))]
    print(f"{target}: {write(Path(target), records, built=datetime.now(UTC))} records")


if __name__ == "__main__":
    main(*sys.argv[1:])
