"""What each scanner says: for every package, by its place, the names of what it has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from imagegate.model import Analysis, Distro, Package, VulnerabilityReport
from imagegate.progress import NoProgress
from imagegate.settings import Vulnerabilities
from imagegate.vulnerability import grype
from imagegate.vulnerability.database import AdvisoryDatabase
from imagegate.vulnerability.importer import import_files
from imagegate.vulnerability.matcher import match
from lab.grypedb import write

Record = dict[str, Any]
Names = frozenset[str]
Answer = dict[tuple[str, str], set[Names]]
"""Package and version to its vulnerabilities, each by all of its names."""


def ours(directory: Path, records: Sequence[Record], packages: Sequence[Package], distro: Distro | None) -> Answer:
    """Ask our own matcher."""
    (directory / "records.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in records))
    database = directory / "advisories.sqlite"
    import_files([directory / "records.jsonl"], database, now=datetime.now(UTC), progress=NoProgress())
    with AdvisoryDatabase(database) as opened:
        return _by_package(match(packages, distro, opened))


def of_grype(
    program: Path, directory: Path, records: Sequence[Record], packages: Sequence[Package], distro: Distro | None
) -> Answer:
    """Ask grype, as `vulnerabilities.provider: grype` does, with a database that is made of the records."""
    _prepare_grype(program, directory, records)
    return _by_package(grype.match(packages, distro, Vulnerabilities(grype=str(program))))


def of_osv_scanner(
    program: Path, directory: Path, records: Sequence[Record], packages: Sequence[Package], distro: Distro | None
) -> Answer:
    """Ask osv-scanner without network. It is told source packages, for it takes no SBOM's word for what is built."""
    write_offline(directory / "osv", records)
    components = [
        {"type": "library", "name": each.source or each.name, "version": each.source_version or each.version}
        | {"purl": _source_purl(each, distro)}
        for each in packages
    ]
    file = directory / "packages.cdx.json"
    file.write_text(
        json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": components})
    )
    return _of_osv(scan(program, directory / "osv", "source", "-L", str(file)))


def _prepare_grype(program: Path, directory: Path, records: Sequence[Record]) -> None:
    write(directory / "made.db", records, built=datetime.now(UTC))
    os.environ["GRYPE_DB_CACHE_DIR"] = str(directory / "grype")
    subprocess.run([str(program), "db", "import", "--quiet", str(directory / "made.db")], check=True)


def _of_osv(document: Any) -> Answer:
    found: dict[tuple[str, str], set[Names]] = defaultdict(set)
    for result in document["results"]:
        for each in result["packages"]:
            key = _place(each["package"]["name"], each["package"]["version"])
            found[key].update(_names(record) for record in each.get("vulnerabilities", ()))
    return dict(found)


def ours_of_image(directory: Path, records: Sequence[Record], image: Path) -> tuple[Answer, int]:
    """Analyse an image as anyone would, and ask our own matcher. Return how many packages it has as well."""
    document = directory / "analysis.json"
    command = [sys.executable, "-m", "imagegate.cli.main", "--quiet", "analyze", f"--output=json={document}"]
    subprocess.run([*command, f"docker-archive:{image}"], check=True, stdout=subprocess.DEVNULL)
    analysis = msgspec.json.decode(document.read_bytes(), type=Analysis)
    return ours(directory, records, analysis.packages, analysis.distro), len(analysis.packages)


def of_grype_on_image(program: Path, directory: Path, records: Sequence[Record], image: Path) -> Answer:
    """Have grype read the image itself."""
    _prepare_grype(program, directory, records)
    command = [str(program), "--quiet", "--output", "json", "--by-cve=false", f"docker-archive:{image}"]
    done = subprocess.run(command, check=True, capture_output=True, env={**os.environ, "GRYPE_DB_AUTO_UPDATE": "false"})
    found: dict[tuple[str, str], set[Names]] = defaultdict(set)
    for each in json.loads(done.stdout)["matches"]:
        artifact = each["artifact"]
        source = (artifact.get("upstreams") or [{}])[0]
        key = _place(source.get("name") or artifact["name"], source.get("version") or artifact["version"])
        related = (other["id"] for other in each["relatedVulnerabilities"])
        found[key].add(frozenset((each["vulnerability"]["id"], *related)))
    return dict(found)


def of_osv_scanner_on_image(program: Path, directory: Path, records: Sequence[Record], image: Path) -> Answer:
    """Have osv-scanner read the image itself."""
    write_offline(directory / "osv", records)
    return _of_osv(scan(program, directory / "osv", "image", "--archive", str(image)))


def write_offline(directory: Path, records: Iterable[Record]) -> None:
    """Write the archives that osv-scanner has offline, one an ecosystem."""
    by_family: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        for family in {part["package"]["ecosystem"].partition(":")[0] for part in record.get("affected", ())}:
            by_family[family].append(record)
    for family, mine in by_family.items():
        target = directory / "osv-scalibr" / family
        target.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(target / "all.zip", "w") as archive:
            for number, record in enumerate(mine):
                archive.writestr(f"{number}.json", json.dumps(record))


def scan(program: Path, database: Path, *arguments: str) -> Any:
    """Run osv-scanner offline and return its document."""
    environment = {**os.environ, "OSV_SCALIBR_LOCAL_DB_CACHE_DIRECTORY": str(database)}
    verb, *rest = arguments
    command = [str(program), "scan", verb, "--offline", "--all-vulns", "--format", "json", *rest]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"osv-scanner failed with exit code {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def _by_package(report: VulnerabilityReport) -> Answer:
    found: dict[tuple[str, str], set[Names]] = defaultdict(set)
    for each in report.vulnerabilities:
        package = each.package
        told = (part.partition(": ")[0] for part in each.reason.split("; "))
        key = _place(package.source or package.name, package.source_version or package.version)
        found[key].add(frozenset((each.id, *each.aliases, *told)))
    return dict(found)


def _place(name: str, version: str) -> tuple[str, str]:
    """Some tell names as they are written in the image, others as the registry has them."""
    return name.lower(), version


def _names(record: Record) -> Names:
    return frozenset((record["id"], *record.get("aliases", ()), *record.get("upstream", ())))


def _source_purl(package: Package, distro: Distro | None) -> str:
    if not package.type.is_os or distro is None:
        return package.purl
    kind = "apk" if package.type.value == "APKG" else "deb"
    name, version = package.source or package.name, package.source_version or package.version
    return f"pkg:{kind}/{distro.id}/{name}@{version}?arch=source&distro={distro.id}-{distro.version}"
