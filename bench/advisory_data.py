"""Advisories to measure with: the shared records in the forms that users have them in, and many more made from them.

python -m bench.advisory_data DIRECTORY

`real/` is all of `../shared/advisories` (its README says from where) that has a form which sources publish: records of
OSV, the announcements as OSV's Debian records, the security database as Alpine's files; `mirror/` two exports as OSV
publishes them. `many.jsonl` has at least 200,000 rows of packages: the real ones, and the same for made-up names.
`packages.json` is an image of 1,000 packages, half of which are names that there are advisories of.
"""

from __future__ import annotations

import gzip
import json
import random
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SHARED = Path(__file__).parents[2] / "shared" / "advisories"
_SUITES = {"buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13"}
_COPIES = 16

Record = dict[str, Any]


def write(directory: Path) -> None:
    """Write all of it, once."""
    if (directory / "packages.json").exists():
        return
    real = directory / "real"
    (real / "alpine").mkdir(parents=True, exist_ok=True)
    records = [*debian(), *records_of("osv-pypi"), *records_of("osv-go")]
    _write_lines(real / "osv.jsonl", records)
    for (branch, repository), packages in _alpine().items():
        document = {"distroversion": branch, "reponame": repository, "packages": packages}
        (real / "alpine" / f"{branch}-{repository}.json").write_text(json.dumps(document))
    for ecosystem in ("PyPI", "Go"):
        _mirror(directory / "mirror" / ecosystem, records_of(f"osv-{ecosystem.lower()}"))
    many = list(_many(records))
    _write_lines(directory / "many.jsonl", many)
    (directory / "packages.json").write_text(json.dumps(_image(many)))


def _mirror(directory: Path, records: list[Record]) -> None:
    """Write an export as OSV publishes it. (https://google.github.io/osv.dev/data/, "Data dumps".)"""
    directory.mkdir(parents=True)
    with zipfile.ZipFile(directory / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for record in records:
            archive.writestr(f"{record['id']}.json", json.dumps(record))
    newest = sorted(((record["modified"], record["id"]) for record in records), reverse=True)
    (directory / "modified_id.csv").write_text("".join(f"{modified},{name}\n" for modified, name in newest))


def debian() -> Iterator[Record]:
    """Yield the announcements of Debian as OSV has them: a record each, about the CVEs that it names."""
    for line in records_of("debian-dsa-dla"):
        package = {"ecosystem": f"Debian:{_SUITES[line['suite']]}", "name": line["source"]}
        events = [{"introduced": "0"}, {"fixed": line["fixed"]}]
        yield {
            "id": f"{line['id']}+{line['suite']}",
            "modified": f"{line['date']}T00:00:00Z",
            "upstream": line["cves"],
            "affected": [{"package": package, "ranges": [{"type": "ECOSYSTEM", "events": events}]}],
        }


def _alpine() -> dict[tuple[str, str], list[Record]]:
    """The security database's files: branch and repository to packages."""
    fixes: dict[tuple[str, str], dict[str, dict[str, list[str]]]] = defaultdict(lambda: defaultdict(dict))
    for line in records_of("alpine-secdb"):
        fixes[line["branch"], line["repo"]][line["pkg"]].setdefault(line["fixed"], []).extend(line["ids"] or ())
    return {
        where: [{"pkg": {"name": name, "secfixes": fixed}} for name, fixed in packages.items()]
        for where, packages in fixes.items()
    }


def _many(records: list[Record]) -> Iterator[Record]:
    """Every second copy is of npm, with the names that it would have: the largest ecosystem."""
    for copy in range(_COPIES):
        for record in records:
            if not copy:
                yield record
                continue
            parts = [
                {**part, "package": _renamed(part["package"], copy)}
                for part in record.get("affected", ())
                if not part["package"]["ecosystem"].startswith("Debian")
            ]
            if parts:
                yield {**record, "id": f"{record['id']}+{copy}", "aliases": [], "affected": parts}


def _renamed(package: Record, copy: int) -> Record:
    ecosystem = "npm" if copy % 2 else package["ecosystem"]
    return {"ecosystem": ecosystem, "name": f"{package['name']}-{copy // 4}" if copy > 3 else package["name"]}


def _image(records: list[Record]) -> list[list[str]]:
    """Return (type, name, version) of an image's packages: 480 of Debian 12, 370 of npm, 150 of PyPI."""
    names: dict[str, set[str]] = defaultdict(set)
    for record in records:
        for part in record.get("affected", ()):
            names[part["package"]["ecosystem"]].add(part["package"]["name"])
    dice = random.Random(8)
    packages = []
    for kind, ecosystem, count in (("dpkg", "Debian:12", 480), ("npm", "npm", 370), ("python", "PyPI", 150)):
        known = sorted(names[ecosystem])
        for number in range(count):
            name = dice.choice(known) if number % 2 else f"unknown-{kind}-{number}"
            version = f"{dice.randrange(9)}.{dice.randrange(20)}.{dice.randrange(9)}"
            packages.append([kind, name, f"{version}-1" if kind == "dpkg" else version])
    return packages


def records_of(name: str) -> list[Record]:
    """Return the lines of a shared file."""
    with gzip.open(SHARED / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _write_lines(path: Path, records: list[Record]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(record)}\n" for record in records)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
