"""The engine's recorded evaluations, and facts about its images, read without the product's own analysis."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from packaging.version import Version

from imagegate.dockerfile import parse
from imagegate.model import (
    AnalysedLayer,
    Analysis,
    CvssScore,
    Digest,
    Distro,
    FeedState,
    FileEntry,
    FileType,
    ImageConfig,
    Package,
    PackageType,
    PasswdEntry,
    Platform,
    Severity,
    Vulnerability,
    VulnerabilityReport,
)
from imagegate.policy.facts import Facts
from imagegate.vulnerability.versions import dpkg

SHARED = Path(__file__).parents[3] / "shared" / "anchore" / "golden"
IMAGES = ("alpine-min", "debian-root", "debian-user")
# How the engine measured the images: the tar of all files beside those of the layers. Nothing else has this number.
_SIZES = {"alpine-min": 30720, "debian-root": 133120, "debian-user": 51200}
_TYPES = {
    tarfile.REGTYPE: FileType.FILE,
    tarfile.DIRTYPE: FileType.DIRECTORY,
    tarfile.SYMTYPE: FileType.SYMLINK,
    tarfile.LNKTYPE: FileType.HARDLINK,
}


def cases() -> list[dict[str, Any]]:
    """Every recorded case."""
    return [json.loads(line) for line in (SHARED / "cases.jsonl").read_text().splitlines()]


def advisories() -> dict[str, Any]:
    """What the engine knew of vulnerabilities."""
    return json.loads((SHARED / "advisories.json").read_text())  # type: ignore[no-any-return]


def now() -> datetime:
    """The day of the recording."""
    return _day(advisories()["evaluated_at"])


def facts(image: str, analysis: Analysis | None = None) -> Facts:
    """Return what the engine knew of an image. analysis: the product's own, in place of one made here."""
    analysis = msgspec.structs.replace(analysis, size=_SIZES[image]) if analysis else _analysis(image)
    dockerfile = SHARED / "images" / f"Dockerfile.{image}"
    return Facts(
        analysis=analysis,
        dockerfile=parse(dockerfile.read_text()) if dockerfile.exists() else None,
        vulnerabilities=_report(analysis),
    )


def _day(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def _analysis(image: str) -> Analysis:
    with tarfile.open(SHARED / "images" / f"{image}.oci.tar") as layout:
        blobs = {m.name: layout.extractfile(m).read() for m in layout.getmembers() if m.isfile()}  # type: ignore[union-attr]
    digest = json.loads(blobs["index.json"])["manifests"][0]["digest"]
    manifest = json.loads(blobs[_blob(digest)])
    config = msgspec.json.decode(blobs[_blob(manifest["config"]["digest"])], type=ImageConfig)
    files: dict[str, FileEntry] = {}
    contents: dict[str, bytes] = {}
    for layer in manifest["layers"]:
        _overlay(blobs[_blob(layer["digest"])], files, contents)
    release = contents["/etc/os-release"].decode()
    return Analysis(
        digest=Digest(digest),
        platform=Platform(os=config.os, architecture=config.architecture),
        size=_SIZES[image],
        config=config,
        layers=tuple(
            AnalysedLayer(Digest(layer["digest"]), diff_id, layer["size"])
            for layer, diff_id in zip(manifest["layers"], config.rootfs.diff_ids, strict=True)
        ),
        distro=Distro(id=_field(release, "ID"), version=_field(release, "VERSION_ID")),
        packages=tuple(_packages(contents)),
        files=tuple(files.values()),
        passwd=tuple(PasswdEntry(*line.split(":")) for line in contents["/etc/passwd"].decode().splitlines()),
        retrieved={},
        analyzer="test",
    )


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _field(text: str, name: str, separator: str = "=") -> str:
    match = re.search(rf"^{name}{separator} *(.*)$", text, re.MULTILINE)
    return match[1].strip('"') if match else ""


def _overlay(layer: bytes, files: dict[str, FileEntry], contents: dict[str, bytes]) -> None:
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        for member in tar:
            path = "/" + member.name.strip("/")
            if "/.wh." in path:
                files.pop(path.replace("/.wh.", "/"), None)
                continue
            body = tar.extractfile(member).read() if member.isfile() else b""  # type: ignore[union-attr]
            sha256 = hashlib.sha256(body).hexdigest() if member.isfile() else ""
            kind = _TYPES[member.type]
            files[path] = FileEntry(
                path, kind, member.mode, member.uid, member.gid, member.size, sha256, member.linkname
            )
            contents[path] = body


def _packages(contents: dict[str, bytes]) -> Iterator[Package]:
    status = "/var/lib/dpkg/status"
    for block in contents.get(status, b"").decode().strip().split("\n\n"):
        if name := _field(block, "Package", ":"):
            source, _, version = _field(block, "Source", ":").partition(" ")
            own = _field(block, "Version", ":")
            yield Package(
                name,
                own,
                PackageType.DPKG,
                "",
                status,
                source=source or name,
                source_version=version.strip("()") or own,
            )
    installed = "/lib/apk/db/installed"
    for block in contents.get(installed, b"").decode().strip().split("\n\n"):
        if name := _field(block, "P", ":"):
            version = _field(block, "V", ":")
            yield Package(name, version, PackageType.APK, "", installed, source=_field(block, "o", ":"))
    for path, body in contents.items():
        if path.endswith(".dist-info/METADATA"):
            text = body.decode()
            yield Package(_field(text, "Name", ":"), _field(text, "Version", ":"), PackageType.PYTHON, "", path)
        elif path.endswith("/package.json"):
            meta = json.loads(body)
            yield Package(meta["name"], meta["version"], PackageType.NPM, "", path)
        elif path.endswith(".gemspec"):
            name, _, version = Path(path).stem.rpartition("-")
            yield Package(name, version, PackageType.GEM, "", path)


def _report(analysis: Analysis) -> VulnerabilityReport:
    known = advisories()
    assert analysis.distro
    distro = ".".join(analysis.distro.version.split(".")[:2])
    scores = {record["id"]: record["cvss_v3"] for record in known["nvd"]}
    found = []
    for record in known["vulnerabilities"]:
        for fix in record["fixed"]:
            for package in analysis.packages:
                ours = _namespace(package, f"{analysis.distro.id}:{distro}") == record["namespace"]
                name = (package.source or package.name).lower()
                if ours and name == fix["name"].lower() and _affected(package, fix):
                    found.append(_vulnerability(record, fix, package, scores.get(record["id"])))
    synced = _day(known["feeds_last_sync"])
    assert synced
    return VulnerabilityReport(tuple(found), (FeedState(f"{analysis.distro.id}:{distro}", 1, synced),))


def _namespace(package: Package, distro: str) -> str:
    return distro if package.type.is_os else f"github:{package.type.value}"


def _affected(package: Package, fix: dict[str, Any]) -> bool:
    wanted = fix["version"]
    if wanted == "None":
        return True
    if fix["version_format"] in ("dpkg", "apk"):
        return dpkg.key(package.source_version or package.version) < dpkg.key(wanted)
    version = Version(package.version)
    return all(
        version < Version(bound.lstrip("<>="))
        if re.match(r"<\d", bound)
        else (version <= Version(bound[2:]) if bound.startswith("<=") else version >= Version(bound[2:]))
        for bound in wanted.split(",")
    )


def _vulnerability(
    record: dict[str, Any], fix: dict[str, Any], package: Package, score: dict[str, Any] | None
) -> Vulnerability:
    wanted = fix["fix_metadata"].get("first_patched_version") or fix["version"]
    metrics = score["base_metrics"] if score else {}
    return Vulnerability(
        record["id"],
        package,
        Severity(record["severity"]),
        fix="" if wanted == "None" else wanted,
        url=record["link"],
        cvss=(
            (
                CvssScore(
                    score["version"],
                    score["vector_string"],
                    metrics["base_score"],
                    metrics["exploitability_score"],
                    metrics["impact_score"],
                ),
            )
            if score
            else ()
        ),
        published=_day(record["created"]),
        fixed_at=_day(fix["fix_observed"]),
        will_not_fix=fix["vendor_no_advisory"],
    )
