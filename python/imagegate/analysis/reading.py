"""Reading an image's layers: which are read at all, which twice, and what is taken from them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from imagegate.analysis import malware, syft
from imagegate.analysis.analyze import analyzer_version
from imagegate.analysis.hashes import Hashes
from imagegate.analysis.image import assemble
from imagegate.analysis.layer import LayerAnalysis
from imagegate.analysis.malware import LayerScanner
from imagegate.analysis.overlay import Overlay
from imagegate.analysis.probe import Kept
from imagegate.analysis.readahead import CHUNK, ReadAhead
from imagegate.analysis.scan import LayerScan
from imagegate.analysis.spool import Spool
from imagegate.analysis.store import LayerStore
from imagegate.analysis.system import OS_RELEASE, PASSWD
from imagegate.analysis.tarstream import Member, TarStream, normalise
from imagegate.analysis.watched import Watched
from imagegate.errors import LimitExceeded
from imagegate.image.inflate import open_layer
from imagegate.image.source import ImageSource
from imagegate.model import Analysis, FileEntry, FileType, Layer, PlatformImage
from imagegate.progress import Progress, Task
from imagegate.settings import AnalysisSettings, Limits

_ALWAYS = frozenset({*OS_RELEASE, PASSWD})


class ImageReader:
    """Analyses one image whose analysis is not known as a whole."""

    def __init__(
        self,
        image: PlatformImage,
        source: ImageSource,
        settings: AnalysisSettings,
        limits: Limits,
        store: LayerStore,
        progress: Progress,
        key: str,
        signatures: str,
    ) -> None:
        self._image, self._source, self._settings, self._limits = image, source, settings, limits
        self._store, self._progress, self._key, self._signatures = store, progress, key, signatures

    def read(self) -> Analysis:
        """Return the analysis. Raises as `analyze` does."""
        layers = []
        total = 0
        for number, layer in enumerate(self._image.layers, 1):
            analysis = self._store.layer(layer, self._key)
            if analysis is None:
                with self._progress.task(f"layer {number} of {len(self._image.layers)}", layer.descriptor.size) as task:
                    analysis = self._read_layer(layer, task)
                self._store.save_layer(layer, self._key, analysis)
            layers.append(analysis)
            total += analysis.size
            if total > self._limits.image_size:
                raise LimitExceeded(
                    f"image {self._image.digest} is larger than {self._limits.image_size} bytes when uncompressed",
                    hint="Raise limits.image_size if the image is meant to be that large.",
                )
        overlay = Overlay(layers)
        contents = self._retrieve(layers, overlay)
        return assemble(
            self._image,
            layers,
            overlay,
            contents,
            self._settings.retrieve,
            analyzer_version(),
            verify=self._settings.verify,
            signatures=self._signatures,
        )

    def _read_layer(self, layer: Layer, task: Task) -> LayerAnalysis:
        make = malware.scanner(self._settings.malware)
        if make is None:
            return self._scan(layer, task, None)
        with make() as scanner:
            return self._scan(layer, task, scanner)

    def _scan(self, layer: Layer, task: Task, scanner: LayerScanner | None) -> LayerAnalysis:
        """Read a layer, and once more when contents are needed that the first reading passed by."""
        name = f"layer {layer.descriptor.digest}"
        scan = LayerScan(name, self._wanted, self._settings, self._limits, scanner)
        with self._open(layer, task) as ahead:
            scan.read(io.BufferedReader(ahead, CHUNK))
            size = ahead.size
        foreign = scan.foreign()
        if not foreign and not scan.linked and not scan.catalogued.again:
            return scan.result(size=size)
        with Spool() as spool:
            with self._open(layer) as ahead:
                tar = TarStream(io.BufferedReader(ahead, CHUNK), self._limits, name)
                for member in tar:
                    if member.type is FileType.FILE and (
                        member.path in scan.linked or member.path in scan.catalogued.again
                    ):
                        _read_again(scan, member, tar, foreign, spool)
                    elif member.path in foreign:
                        spool.add(member, tar)
            return scan.result(syft.catalog(spool, everything=self._settings.catalogers == "syft"), size)

    @property
    def _wanted(self) -> frozenset[str]:
        return _ALWAYS.union(map(normalise, self._settings.retrieve))

    def _open(self, layer: Layer, task: Task | None = None) -> ReadAhead:
        source = Watched(self._source, task) if task else self._source
        return ReadAhead(open_layer(source, layer, self._limits))

    def _retrieve(self, layers: Sequence[LayerAnalysis], overlay: Overlay) -> dict[str, bytes]:
        """Return the wanted contents by the path they were asked for; links are followed within the image."""
        found = {}
        for path in self._wanted:
            target = overlay.resolve(path)
            entry = overlay.files.get(target)
            if entry is None or entry.type not in (FileType.FILE, FileType.HARDLINK):
                continue
            index = overlay.origin[target]
            content = layers[index].contents.get(target)
            found[path] = self._fetch(self._image.layers[index], entry) if content is None else content
        return found

    def _fetch(self, layer: Layer, entry: FileEntry) -> bytes:
        """Read one file that only a symbolic link made wanted."""
        wanted = entry.link if entry.type is FileType.HARDLINK else entry.path
        content = b""
        with self._open(layer) as ahead:
            scan = LayerScan(f"layer {layer.descriptor.digest}", frozenset([wanted]), self._settings, self._limits)
            tar = TarStream(io.BufferedReader(ahead, CHUNK), self._limits)
            for member in tar:
                if member.path == wanted and member.type is FileType.FILE:
                    content = scan.whole(member, tar)
        return content


def _read_again(scan: LayerScan, member: Member, tar: TarStream, foreign: frozenset[str], spool: Spool) -> None:
    """Take what matters of a file that has other names, or is a program that was not kept."""
    links = scan.linked.get(member.path, [])
    hashes = Hashes(old=True)
    with Kept(member.path) as kept:
        if any(map(scan.matters, links)):
            content = scan.whole(member, tar)
            for path in links:
                scan.take(path, content)
            chunks: Iterable[bytes] = [content]
        else:
            chunks = iter(lambda: tar.read(CHUNK), b"")
        for chunk in chunks:
            hashes.update(chunk)
            kept.write(chunk)
        for path in (member.path, *links):
            anew = path in links or path in scan.catalogued.again
            left = anew and scan.catalogued.look_again(path, kept.file, hashes.checksums)
            if path in foreign or left:
                kept.file.seek(0)
                spool.write(path, iter(lambda: kept.file.read(CHUNK), b""))
