"""Gate `files`: names, attributes and setuid bits of files."""

from __future__ import annotations

import stat
from collections.abc import Iterator

from imagegate.model import FileEntry, FileType, SearchKind
from imagegate.policy.gates.contents import found, text_of
from imagegate.policy.gates.parameter import Parameter, Values, boolean, choice, octal, regex, text
from imagegate.policy.gates.trigger import Hit, Scope, Trigger

_TYPE_BITS = {
    FileType.FILE: stat.S_IFREG,
    FileType.HARDLINK: stat.S_IFREG,
    FileType.DIRECTORY: stat.S_IFDIR,
    FileType.SYMLINK: stat.S_IFLNK,
    FileType.CHARACTER: stat.S_IFCHR,
    FileType.BLOCK: stat.S_IFBLK,
    FileType.FIFO: stat.S_IFIFO,
}


def _name(scope: Scope, values: Values) -> Iterator[Hit]:
    matches = values["regex"].match
    pattern = values["regex"].pattern
    for path in filter(matches, scope.facts.paths):
        yield Hit(
            f"Application of regex matched file found in container: file={path} regexp={pattern}",
            path=path,
            fix=f"Remove {path} from the image, in the layer that adds it.",
        )


def _attribute(scope: Scope, values: Values) -> Iterator[Hit]:
    path = values["filename"]
    entry = scope.facts.files.get(path)
    if entry is None:
        reasons = [] if values.get("skip_missing", True) else ["skip_missing=False"]
    else:
        checked = [_checksum(entry, values), _mode(entry, values)]
        reasons = [] if "" in checked else [reason for reason in checked if reason is not None]
    if reasons:
        yield Hit(" and ".join([f"filename={path}", *reasons]), path=path)


def _checksum(entry: FileEntry, values: Values) -> str | None:
    """Return what matched, empty when it did not match, None when the rule does not ask."""
    wanted, operation = values.get("checksum"), values.get("checksum_match", "equals")
    if not wanted:
        return None
    found = entry.sha256.removeprefix("sha256:")
    same = found == wanted.strip().lower().removeprefix("sha256:")
    return f"checksum={found} op={operation} specified_checksum={wanted}" if same == (operation == "equals") else ""


def _mode(entry: FileEntry, values: Values) -> str | None:
    wanted, operation = values.get("mode"), values.get("mode_op", "equals")
    if wanted is None:
        return None
    found = oct(stat.S_IMODE(entry.mode))
    same = found == oct(wanted)
    return f"mode={found} op={operation} specified_mode={oct(wanted)}" if same == (operation == "equals") else ""


def _setuid(scope: Scope, _: Values) -> Iterator[Hit]:
    for entry in scope.facts.setuid:
        yield Hit(
            f"SUID or SGID found set on file {entry.path}. Mode: {oct(_TYPE_BITS[entry.type] | entry.mode)}",
            path=entry.path,
            fix=f"RUN chmod a-s {entry.path}, or remove the file.",
        )


def _content(scope: Scope, values: Values) -> Iterator[Hit]:
    for match in found(scope, SearchKind.CONTENT, values.get("regex_name")):
        yield Hit(
            f"File content analyzer found regexp match in container: file={match.path} regexp={text_of(match)}",
            path=match.path,
            fix=f"See {match.path}, line {', '.join(map(str, match.lines[:3]))}.",
        )


def _lint_attribute(values: Values) -> str:
    if values.get("checksum") or values.get("mode") is not None or not values.get("skip_missing", True):
        return ""
    return "it can never fire: give 'checksum', 'mode', or 'skip_missing' as false"


TRIGGERS = (
    Trigger("files", "content_regex_match", _content, (Parameter("regex_name", text),)),
    Trigger("files", "name_match", _name, (Parameter("regex", regex, required=True),)),
    Trigger(
        "files",
        "attribute_match",
        _attribute,
        (
            Parameter("filename", text, required=True),
            Parameter("checksum_algorithm", choice("sha256")),
            Parameter("checksum", text),
            Parameter("checksum_match", choice("equals", "not_equals")),
            Parameter("mode", octal),
            Parameter("mode_op", choice("equals", "not_equals")),
            Parameter("skip_missing", boolean),
        ),
        _lint_attribute,
    ),
    Trigger("files", "suid_or_guid_set", _setuid),
)
