"""Make the demo's advisory records out of larger public collections. Run by hand; the demo only needs the result.

    python3 demo/advisories/make.py PYPI_OSV NPM_RETIREJS NPM_SECURITY_WG DEBIAN_DSA_DLA

Each argument is a file of JSON lines, gzip; README.md beside this file says what they are. Records keep their ids,
ranges and summaries; what a source does not say is left out. `modified`, which OSV demands, is the day of the
collection where the source gives none.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PYPI = {
    "certifi",
    "flask",
    "idna",
    "itsdangerous",
    "jinja2",
    "markupsafe",
    "pip",
    "pyyaml",
    "requests",
    "setuptools",
    "urllib3",
}
PYPI |= {"werkzeug", "wheel"}
NPM = {"axios", "handlebars", "jquery", "marked", "moment", "next", "protobufjs", "sanitize-html", "validator"}
DEBIAN = {
    "apt", "bash", "bzip2", "cups", "curl", "expat", "freetype", "glib2.0", "glibc", "gnutls28", "krb5", "libcap2",
    "libtasn1-6", "libxml2", "linux", "lz4", "ncurses", "openssh", "openssl", "pam", "perl", "python3.11", "shadow",
    "sqlite3", "systemd", "tar", "util-linux", "xz-utils", "zlib",
}  # fmt: skip
COLLECTED = "2026-08-01T00:00:00Z"
NEVER = re.compile(r"999\.")
"""Retire.js writes such a bound for "no fixed version"."""

Record = dict[str, Any]


def lines(file: str) -> Iterator[Record]:
    with gzip.open(file, "rt", encoding="utf-8") as text:
        yield from map(json.loads, text)


def pypi(file: str) -> Iterator[Record]:
    """OSV records already; the long lists of versions are spelled out by the ranges."""
    for record in lines(file):
        affected = [part for part in record["affected"] if part["package"]["name"] in PYPI]
        if not affected or "withdrawn" in record:
            continue
        for part in affected:
            ranges = [bounds for bounds in part.get("ranges", ()) if bounds["type"] == "ECOSYSTEM"]
            if ranges:
                part["ranges"] = ranges
                part.pop("versions", None)
        yield record | {"affected": affected}


def retirejs(file: str) -> Iterator[Record]:
    for entry in lines(file):
        reviewed = next((name for name in entry["ids"] if name.startswith("GHSA-")), None)
        if entry["npm"] not in NPM or reviewed is None or any("above" in bounds for bounds in entry["ranges"]):
            continue
        ranges = [semver_range(bounds) for bounds in entry["ranges"]]
        yield {
            "id": reviewed,
            "modified": COLLECTED,
            "aliases": sorted(set(entry["ids"]) - {reviewed}),
            "summary": (entry["summary"] or "").partition("\n")[0][:160],
            "affected": [{"package": {"ecosystem": "npm", "name": entry["npm"]}, "ranges": ranges}],
            "database_specific": {"severity": entry["severity"].upper().replace("MEDIUM", "MODERATE")},
        }


def semver_range(bounds: dict[str, str]) -> Record:
    events = [{"introduced": bounds.get("atOrAbove", "0")}]
    if "below" in bounds and not NEVER.match(bounds["below"]):
        events.append({"fixed": bounds["below"]})
    if "atOrBelow" in bounds:
        events.append({"last_affected": bounds["atOrBelow"]})
    return {"type": "SEMVER", "events": events}


def security_wg(file: str) -> Iterator[Record]:
    """Those with one plain bound: `<4.17.11`."""
    for entry in lines(file):
        bound = re.fullmatch(r"<\s*([0-9.]+)", entry["vulnerable_versions"] or "")
        if entry["module_name"] not in {"lodash", "minimist"} or not bound or not entry["cves"]:
            continue
        events = [{"introduced": "0"}, {"fixed": bound[1]}]
        vector = entry.get("cvss_vector") or ""
        yield {
            "id": f"NSWG-ECO-{entry['id']}",
            "modified": f"{entry['updated_at']}T00:00:00Z",
            "published": f"{entry['publish_date']}T00:00:00Z",
            "aliases": entry["cves"],
            "summary": entry["title"],
            "affected": [
                {
                    "package": {"ecosystem": "npm", "name": entry["module_name"]},
                    "ranges": [{"type": "SEMVER", "events": events}],
                }
            ],
        } | ({"severity": [{"type": "CVSS_V3", "score": vector}]} if vector.startswith("CVSS:3") else {})


def debian(file: str) -> Iterator[Record]:
    """One record an announcement, as OSV has them: `upstream` names the CVEs, `affected` the source package."""
    for entry in lines(file):
        if entry["suite"] != "bookworm" or entry["source"] not in DEBIAN:
            continue
        events = [{"introduced": "0"}, {"fixed": entry["fixed"]}]
        yield {
            "id": entry["id"],
            "modified": f"{entry['date']}T00:00:00Z",
            "published": f"{entry['date']}T00:00:00Z",
            "upstream": entry["cves"],
            "summary": f"{entry['source']} - security update",
            "affected": [
                {
                    "package": {"ecosystem": "Debian:12", "name": entry["source"]},
                    "ranges": [{"type": "ECOSYSTEM", "events": events}],
                }
            ],
        }


def main(pypi_file: str, retirejs_file: str, security_wg_file: str, debian_file: str) -> None:
    here = Path(__file__).parent
    npm = [*retirejs(retirejs_file), *security_wg(security_wg_file)]
    for name, records in (("pypi", pypi(pypi_file)), ("npm", npm), ("debian-12", debian(debian_file))):
        unique: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            unique[record["id"]].append(record)
        ordered = [merged(unique[key]) for key in sorted(unique)]
        text = ",\n".join(json.dumps(record, ensure_ascii=False, separators=(",", ":")) for record in ordered)
        (here / f"{name}.json").write_text(f"[\n{text}\n]\n", encoding="utf-8")
        print(f"{name}.json: {len(ordered)} records")


def merged(records: list[Record]) -> Record:
    """A source may have one id on several lines, one for each package or branch."""
    first = records[0]
    return first | {"affected": [part for record in records for part in record["affected"]]}


if __name__ == "__main__":
    main(*sys.argv[1:])
