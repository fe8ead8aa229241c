"""What an Anchore server says of promoted images, brought into the inventory: images are asked about, packages change.

A package is in many images, and is one row. What one image says that is worse is written at once, with the note that
the image was asked about, so that a run that dies has done some images, and the next goes on with the others. What one
says that is milder (something is gone, or less grave) is believed once each image says so that has the package: the
others are asked about as well. So images of which a server says different things make no news by turns.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from zlib import crc32

import msgspec

from imagegate.errors import ImagegateError, NetworkError
from imagegate.inventory.asked import forget
from imagegate.inventory.model import Delta
from imagegate.inventory.server_findings import Answer, ServerFindings
from imagegate.inventory.store import Inventory
from imagegate.model import Vulnerability

Ask = Callable[[str], tuple[Vulnerability, ...]]
"""Returns what a server says of an image, by its digest. Raises ImagegateError."""

_BATCH = 48
_AT_ONCE = 4
_ENOUGH = 5
"""So many images in a row of which the server says nothing: it is away, and the others are not asked about."""


class Heard(msgspec.Struct, frozen=True):
    """What a run did. images: that were asked about; components: that changed; silent: an image, and why it says
    nothing. unasked: how many were not asked about since the server is away.
    """

    deltas: tuple[Delta, ...] = ()
    images: int = 0
    components: int = 0
    silent: Mapping[str, str] = {}
    unasked: int = 0


def recheck(
    inventory: Inventory,
    lineage: str,
    ask: Ask,
    digests: Iterable[str],
    *,
    others: Collection[str],
    now: float,
    advance: Callable[[int], object] = lambda _: None,
) -> Heard:
    """Ask about images, and note what is different.

    lineage: of the server's answers. others: images that can be asked about, where it turns out that they must be. now:
    the run's time, in seconds since the epoch. advance: told of images that are done. Raises InventoryError.
    """
    findings = ServerFindings(inventory, lineage, now)
    asking = _Asking(ask)
    deltas: list[Delta] = []
    done: set[str] = set()
    queue = sorted(digests)
    while queue:
        for start in range(0, len(queue), _BATCH):
            batch = queue[start : start + _BATCH]
            deltas += findings.take(asking(batch))
            advance(len(batch))
        done.update(queue)
        queue = sorted((findings.holders() & set(others)) - done)
    deltas += findings.settle({*asking.silent, *asking.unasked})
    with inventory.transaction() as connection:
        forget(connection)
    silent, unasked = asking.silent, len(asking.unasked)
    return Heard(tuple(deltas), len(done) - len(silent) - unasked, findings.changed, silent, unasked)


class _Asking:
    """Asks about several images at once, until the server is found to be away."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._failed = 0
        self.silent: dict[str, str] = {}
        self.unasked: set[str] = set()

    def __call__(self, digests: Sequence[str]) -> list[Answer]:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return [each for each in pool.map(self._one, digests) if each]

    def _one(self, digest: str) -> Answer | None:
        if self._failed >= _ENOUGH:
            self.unasked.add(digest)
            return None
        at = time.time()
        try:
            found = self._ask(digest)
        except ImagegateError as error:
            self._failed = self._failed + 1 if isinstance(error, NetworkError) else 0
            self.silent[digest] = str(error).replace("\n", " ")
            return None
        self._failed = 0
        return Answer(digest, at, found)


def by_digest(names: Iterable[tuple[str, Iterable[str]]]) -> dict[str, list[str]]:
    """Return the digests of each name, from the names of each digest."""
    found: dict[str, list[str]] = defaultdict(list)
    for digest, mine in names:
        for name in mine:
            found[name].append(digest)
    return found


def shard(digests: Iterable[str], index: int, count: int) -> Iterator[str]:
    """Yield the images of shard `index` (from 1) of `count`: disjoint, and together all."""
    for digest in digests:
        if crc32(digest.encode()) % count == index - 1:
            yield digest
