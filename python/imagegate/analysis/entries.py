"""The file entries of one layer, after what later entries of the same tar do to earlier ones."""

from __future__ import annotations

from imagegate.errors import InvalidImage
from imagegate.model import FileEntry, FileType

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_AUFS = ".wh..wh."


class Entries:
    """Collects entries in the order of the tar. (OCI image-spec, layer.md, "Whiteouts".)

    files: by path. whiteouts: paths removed from the layers below. opaque: directories that hide what they held below.
    """

    def __init__(self) -> None:
        self.files: dict[str, FileEntry] = {}
        self.whiteouts: dict[str, None] = {}
        self.opaque: dict[str, None] = {}
        self._order: dict[str, int] = {}
        self._emptied: dict[str, int] = {}
        self._count = 0

    def white_out(self, path: str) -> bool:
        """Take the path if it is a whiteout, and return whether it is one. Raises InvalidImage if it names nothing."""
        directory, _, name = path.rpartition("/")
        if not name.startswith(_WHITEOUT):
            return False
        if name == _OPAQUE:
            self.opaque[directory or "/"] = None
        elif not name.startswith(_AUFS):  # What is left is AUFS' own bookkeeping.
            removed = name.removeprefix(_WHITEOUT)
            if removed in ("", ".", ".."):
                raise InvalidImage(f"a layer holds the whiteout {path[:200]!r}", why="it names no file")
            self.whiteouts[f"{directory}/{removed}"] = None
        return True

    def add(self, entry: FileEntry) -> None:
        """Add an entry; a later one replaces an earlier one of the same path, with all that was in it."""
        path = entry.path
        before = self.files.get(path)
        if before is not None and before.type is not FileType.DIRECTORY:
            self._emptied[path] = self._order[path]
        self.files[path] = entry
        self._order[path] = self._count
        self._count += 1

    def finish(self) -> None:
        """Drop what lay in a directory that a later entry replaced by something else."""
        parents = self._directories()
        for path in parents & self.files.keys():
            if self.files[path].type is not FileType.DIRECTORY:
                self._emptied[path] = self._order[path]
        if not parents & self._emptied.keys():
            return
        since = {"": -1}
        for directory in sorted(parents - {""}, key=len):
            since[directory] = max(self._emptied.get(directory, -1), since[directory[: directory.rindex("/")]])
        order = self._order
        self.files = {path: each for path, each in self.files.items() if order[path] > since[path[: path.rindex("/")]]}

    def _directories(self) -> set[str]:
        """Return the directories that entries lie in, the root being ""."""
        found = {path[: path.rindex("/")] for path in self.files}
        for path in list(found):
            above = path
            while above:
                above = above[: above.rindex("/")]
                if above in found:
                    break
                found.add(above)
        return found
