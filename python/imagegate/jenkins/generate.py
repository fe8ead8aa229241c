"""Generated files that people may edit: what state one is in, and what becomes of it. Pure, but for git's history.

A generated file begins with a stamp: template, library and the checksum of the text that follows, as it was generated.
So a later run tells three texts apart: what was generated (the base), what is there now, and what would be
generated now. Nothing that somebody wrote is ever lost: edits are kept, merged, or reported.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import tempfile
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import msgspec

from imagegate.errors import UsageError

_STAMP = re.compile(r"// imagegate generate: template (\S+), library (\S+), sha256 ([0-9a-f]{64})\n")


class State(StrEnum):
    """How a file stands to what would be generated now."""

    NEW = "new"
    CURRENT = "current"
    OUTDATED = "outdated"
    EDITED = "edited"
    CONFLICT = "conflict"
    FOREIGN = "foreign"


WORDS = {
    State.NEW: "is not there yet",
    State.CURRENT: "is as it is generated",
    State.OUTDATED: "is as an earlier run generated it",
    State.EDITED: "was edited by hand, which is kept; what is generated has not changed since",
    State.CONFLICT: "was edited by hand, and what is generated has changed in the same place",
    State.FOREIGN: "was not written by imagegate",
}


class Stamped(msgspec.Struct, frozen=True):
    """A generated file, taken apart. checksum: of the body as it was generated."""

    template: str
    library: str
    checksum: str
    body: str

    @property
    def is_edited(self) -> bool:
        return checksum(self.body) != self.checksum


class Decision(msgspec.Struct, frozen=True):
    """What becomes of a file. text: what to write, None for nothing."""

    state: State
    text: str | None = None


Base = Callable[[str], str | None]
"""Finds the body that has a checksum, for a merge; None when it is nowhere to be found."""


def checksum(body: str) -> str:
    """Return the SHA-256 of a text, whatever its line ends are."""
    return hashlib.sha256(body.replace("\r\n", "\n").encode("utf-8", "surrogatepass")).hexdigest()


def stamp(body: str, *, template: str, library: str, generated: str | None = None) -> str:
    """Return a body under its stamp. generated: the body as generated, where this one was edited."""
    mark = checksum(body if generated is None else generated)
    return f"// imagegate generate: template {template}, library {library}, sha256 {mark}\n{body}"


def take_apart(text: str) -> Stamped | None:
    """Return a generated file's parts, None for a file that has no stamp."""
    plain = text.replace("\r\n", "\n")
    match = _STAMP.match(plain)
    return Stamped(match[1], match[2], match[3], plain[match.end() :]) if match else None


def decide(existing: str | None, wanted: str, base: Base, *, overwrite: bool = False) -> Decision:
    """Say what becomes of a file. wanted: stamped. overwrite: also what was edited, or is not ours."""
    if existing is None:
        return Decision(State.NEW, wanted)
    there, ours = take_apart(existing), take_apart(wanted)
    assert ours
    if overwrite and (there is None or there.is_edited):
        return Decision(State.OUTDATED, wanted)
    if there is None:
        return Decision(State.FOREIGN)
    if not there.is_edited:
        return Decision(State.CURRENT) if existing.replace("\r\n", "\n") == wanted else Decision(State.OUTDATED, wanted)
    if there.checksum == ours.checksum:
        return Decision(State.EDITED)
    generated = base(there.checksum)
    merged = None if generated is None else merge(there.body, generated, ours.body)
    if merged is None:
        return Decision(State.CONFLICT)
    text = stamp(merged, template=ours.template, library=ours.library, generated=ours.body)
    return Decision(State.OUTDATED, text)


def merge(edited: str, base: str, wanted: str) -> str | None:
    """Return both changes of a base in one text, None where they touch the same lines. (git-merge-file.)"""
    with tempfile.TemporaryDirectory(prefix="imagegate-") as name:
        files = [Path(name, each) for each in ("edited", "base", "wanted")]
        for file, text in zip(files, (edited, base, wanted), strict=True):
            file.write_text(text)
        done = subprocess.run(
            ["git", "merge-file", "-p", *map(str, files)], capture_output=True, text=True, check=False
        )
    if done.returncode < 0 or done.returncode > 127:
        raise UsageError("git could not merge", why=done.stderr.strip())
    return done.stdout if done.returncode == 0 else None


def from_history(file: Path) -> Base:
    """Return what finds the body of a checksum in the git history of a file."""

    def find(wanted: str) -> str | None:
        directory, name = file.parent, file.name
        log = subprocess.run(
            ["git", "-C", str(directory), "log", "--format=%H", "--", name], capture_output=True, text=True, check=False
        )
        for commit in log.stdout.split():
            shown = subprocess.run(
                ["git", "-C", str(directory), "show", f"{commit}:./{name}"], capture_output=True, text=True, check=False
            )
            found = take_apart(shown.stdout) if shown.returncode == 0 else None
            if found and checksum(found.body) == wanted:
                return found.body
        return None

    return find
