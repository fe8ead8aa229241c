"""From layers to an image: what is seen of each layer once those above it lie on top. Pure.

OCI image-spec, layer.md, "Applying Changesets" and "Whiteouts". Where engines differ (an entry below what a lower layer
has as a symbolic link to a directory), nothing is hidden that one of them would show.
"""

from __future__ import annotations

from collections.abc import Sequence

from imagegate.analysis.layer import LayerAnalysis
from imagegate.model import FileEntry, FileType

_MAX_LINKS = 40
"""As Linux. (path_resolution(7).)"""


class Overlay:
    """The files of an image by path, each with the index of the layer that it comes from."""

    def __init__(self, layers: Sequence[LayerAnalysis]) -> None:
        self.files: dict[str, FileEntry] = {}
        self.origin: dict[str, int] = {}
        cover = _Cover()
        for index in range(len(layers) - 1, -1, -1):
            layer = layers[index]
            seen = [entry for entry in layer.files if not cover.hides(entry)]
            for entry in seen:
                self.files[entry.path] = entry
                self.origin[entry.path] = index
            cover.add(layer)

    def resolve(self, path: str) -> str:
        """Follow symbolic links within the image, never out of its root. Returns "" for a loop."""
        rest = [part for part in reversed(path.split("/")) if part]
        at: list[str] = []
        links = 0
        while rest:
            part = rest.pop()
            if part in (".", ".."):
                del at[len(at) - (part == "..") :]
                continue
            at.append(part)
            entry = self.files.get("/" + "/".join(at))
            if entry is None or entry.type is not FileType.SYMLINK:
                continue
            links += 1
            if links > _MAX_LINKS:
                return ""
            at = [] if entry.link.startswith("/") else at[:-1]
            rest.extend(part for part in reversed(entry.link.split("/")) if part)
        return "/" + "/".join(at)


class _Cover:
    """What the layers looked at so far hide of those below."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._below: set[str] = set()
        self._parents: set[str] = set()
        self._under: dict[str, bool] = {"": False}

    def hides(self, entry: FileEntry) -> bool:
        path = entry.path
        if path in self._taken:
            return True
        if path in self._parents and entry.type not in (FileType.DIRECTORY, FileType.SYMLINK):
            return True
        return self._hidden_under(path[: path.rindex("/")])

    def _hidden_under(self, directory: str) -> bool:
        """Return whether what lies in the directory is hidden: by it, or by one above it."""
        known, pending = self._under.get(directory), []
        while known is None:
            pending.append(directory)
            if directory in self._below:
                known = True
            else:
                directory = directory[: directory.rindex("/")]
                known = self._under.get(directory)
        self._under.update(dict.fromkeys(pending, known))
        return known

    def add(self, layer: LayerAnalysis) -> None:
        self._taken.update(layer.whiteouts)
        self._below.update(layer.whiteouts)
        self._below.update("" if path == "/" else path for path in layer.opaque)
        for entry in layer.files:
            path = entry.path
            self._taken.add(path)
            if entry.type is not FileType.DIRECTORY:
                self._below.add(path)
            parent = path[: path.rindex("/")]
            while parent and parent not in self._parents:
                self._parents.add(parent)
                parent = parent[: parent.rindex("/")]
        self._under = {"": "" in self._below}
