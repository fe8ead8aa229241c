"""Files that are not what the distribution's package brought. (deb-md5sums(5); apk's database, APKINDEX format.)

Two answers are kept for each file: the right one, and Anchore Engine's, which follows no link, so that half of a
merged-usr Debian is missing to it, and which cannot read apk's checksums.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Sequence

import msgspec

from imagegate.analysis.layer import Checksums, LayerAnalysis
from imagegate.analysis.overlay import Overlay
from imagegate.model import AlteredFile, FileEntry, FileType

_RECORD = re.compile(
    r"(?P<dpkg>.*/lib/dpkg/(?:info|status\.d)/(?P<package>[^/:]+)(?::[^/]+)?\.(?P<kind>md5sums|conffiles))"
    r"|(?P<status>.*/lib/dpkg/status)|(?P<apk>.*/lib/apk/db/installed)"
)


class _Record(msgspec.Struct, frozen=True):
    """A file as its package brought it. digest: hex, empty when it is not known; mode: None the same."""

    package: str
    path: str
    algorithm: str = "md5"
    digest: str = ""
    mode: int | None = None
    conffile: bool = False


def is_record(path: str) -> bool:
    """Return whether the file at this path says what files packages brought."""
    return _RECORD.fullmatch(path) is not None


def altered(layers: Sequence[LayerAnalysis], overlay: Overlay) -> tuple[AlteredFile, ...]:
    """Return every file of a package that is gone or is another. The layers were read with `verify`."""
    contents = {
        path: content
        for index, layer in enumerate(layers)
        for path, content in layer.contents.items()
        if overlay.origin.get(path) == index
    }
    found = []
    for record in _records(contents):
        status = _status(record, overlay.resolve(record.path), layers, overlay)
        engines = _engines_status(record, layers, overlay)
        if status or engines:
            found.append(AlteredFile(record.package, record.path, status, engines))
    return tuple(sorted(found, key=lambda each: (each.package, each.path)))


def _records(contents: dict[str, bytes]) -> Iterator[_Record]:
    conffiles: dict[str, str] = {}
    for path, content in contents.items():
        if path.endswith("/lib/dpkg/status"):
            conffiles.update(_conffiles(content.decode("utf-8", "replace")))
    for path, content in contents.items():
        match = _RECORD.fullmatch(path)
        if not match:
            continue
        text = content.decode("utf-8", "replace")
        if match["apk"]:
            yield from _apk(text)
        elif match["kind"] == "md5sums":
            for line in text.splitlines():
                digest, _, name = line.strip().partition(" ")
                if name.strip():
                    yield _Record(match["package"], "/" + name.strip().removeprefix("./").lstrip("/"), digest=digest)
        elif match["kind"] == "conffiles":
            for line in text.splitlines():
                if line.strip() in conffiles:
                    yield _Record(match["package"], line.strip(), digest=conffiles[line.strip()], conffile=True)


def _conffiles(status: str) -> Iterator[tuple[str, str]]:
    """Yield path and MD5 of the configuration files that dpkg's status lists. (deb-conffiles(5).)"""
    inside = False
    for line in status.splitlines():
        if re.match(r"\S*:", line):
            inside = line.startswith("Conffiles:")
        elif inside and len(words := line.split()) >= 2:
            yield words[0], words[1]


def _apk(installed: str) -> Iterator[_Record]:
    package = directory = name = ""
    mode: int | None = None
    for line in installed.splitlines():
        letter, _, value = line.partition(":")
        match letter:
            case "P":
                package = value
            case "F":
                directory, name = value, ""
            case "R":
                name, mode = value, None
            case "a" if value.count(":") >= 2:
                mode = int(value.split(":")[2], 8) if re.fullmatch(r"[0-7]+", value.split(":")[2]) else None
            case "Z" if name:
                yield _Record(package, f"/{directory}/{name}".replace("//", "/"), "sha1", _sha1(value), mode)


def _sha1(value: str) -> str:
    """Return the hex of apk's `Q1` and base64."""
    try:
        return base64.b64decode(value.removeprefix("Q1"), validate=True).hex() if value.startswith("Q1") else ""
    except (ValueError, binascii.Error):
        return ""


def _status(record: _Record, path: str, layers: Sequence[LayerAnalysis], overlay: Overlay) -> str:
    own = overlay.files.get(record.path)
    if record.algorithm == "sha1" and own is not None and own.type is FileType.SYMLINK:
        # apk has the checksum of where a link points to.
        target = hashlib.sha1(own.link.encode(), usedforsecurity=False).hexdigest()
        return "changed" if record.digest and target != record.digest else ""
    entry = overlay.files.get(path)
    if entry is None:
        return "missing"
    if record.conffile:
        return ""
    known = _checksums(entry, layers, overlay)
    if known and record.digest and getattr(known, record.algorithm) != record.digest:
        return "changed"
    return "changed" if _mode_differs(record, entry) else ""


def _engines_status(record: _Record, layers: Sequence[LayerAnalysis], overlay: Overlay) -> str:
    entry = overlay.files.get(record.path)
    if entry is None:
        return "missing"
    if record.conffile:
        return ""
    if entry.type is FileType.FILE and record.algorithm == "md5":
        known = _checksums(entry, layers, overlay)
        if known and record.digest and known.md5 != record.digest:
            return "changed"
    return "changed" if _mode_differs(record, entry) else ""


def _mode_differs(record: _Record, entry: FileEntry) -> bool:
    """Compare as many octal digits as the shorter has, as the engine does: databases leave the file's kind out."""
    if not record.mode or not entry.mode or entry.type not in (FileType.FILE, FileType.DIRECTORY):
        return False
    ours, theirs = f"{entry.mode:o}", f"{record.mode:o}"
    length = min(len(ours), len(theirs))
    return ours[-length:] != theirs[-length:]


def _checksums(entry: FileEntry, layers: Sequence[LayerAnalysis], overlay: Overlay) -> Checksums | None:
    checksums = layers[overlay.origin[entry.path]].checksums
    return checksums.get(entry.link if entry.type is FileType.HARDLINK else entry.path)
