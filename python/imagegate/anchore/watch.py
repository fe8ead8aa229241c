"""What an Anchore server tells by itself: which images its events are about, and which it watches at all.

A server watches tags: for an active subscription of the kind `vuln_update` or `policy_eval` it compares, every few
hours, what it knows of the newest image of the tag with what it knew before, and reports a difference as an event.
(Anchore Engine 1.1, catalog, `handle_vulnerability_scan`: the newest image only; the first scan is only remembered.)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from imagegate.anchore.server import ImageState, ServerEvent, ServerImage, ServerSubscription

EVENTS = "user.checks.tag."
"""What the types of both kinds of events begin with: `vulnerabilities.update`, `policy_evaluation.update`."""
KINDS = ("vuln_update", "policy_eval")
_SETTLED = 86400.0
"""Seconds after which a server has surely scanned a tag once that it was told to watch."""
_UNDATED = datetime.min.replace(tzinfo=UTC)


class Watch:
    """The images of a server and its subscriptions."""

    def __init__(self, images: Iterable[ServerImage], subscriptions: Iterable[ServerSubscription]) -> None:
        self.images: dict[str, ServerImage] = {each.digest: each for each in images}
        self._subscriptions = {(each.key, each.kind): each for each in subscriptions}
        self._tagged: dict[str, list[str]] = defaultdict(list)
        for digest, each in self.images.items():
            for tag in each.tags:
                self._tagged[tag].append(digest)

    def is_analysed(self, digest: str) -> bool:
        """Whether the server can be asked about an image."""
        return digest in self.images and self.images[digest].state is ImageState.ANALYZED

    def is_watched(self, digest: str, now: float) -> bool:
        """Whether each change of what is known of an image is an event. now: seconds since the epoch."""
        for tag in self._newest_of(digest):
            found = self._subscriptions.get((tag, KINDS[0]))
            if found and found.active and found.changed_at and now - found.changed_at.timestamp() > _SETTLED:
                return True
        return False

    def unwatched(self, digests: Iterable[str]) -> Iterator[tuple[str, str, str]]:
        """Yield tag, kind and id of the subscriptions that images lack. The id is empty where there is none to switch.

        One tag of an image is enough; what is the newest image of no tag cannot be watched.
        """
        for digest in digests:
            tags = self._newest_of(digest)
            if not tags:
                continue
            tag = next((each for each in tags if self._is_active(each, KINDS[0])), tags[0])
            for kind in KINDS:
                if not self._is_active(tag, kind):
                    known = self._subscriptions.get((tag, kind))
                    yield tag, kind, known.id if known else ""

    def changed(self, events: Iterable[ServerEvent], names: Mapping[str, Iterable[str]]) -> dict[str, float]:
        """Return the images that events are about, each with the time of the last one; infinite where it says none.

        names: of tags, in `registry/repo:tag`, the digests that were promoted under them. The server may know an image
        by another name, such as staging's, so that its own list counts as well.
        """
        found: dict[str, float] = {}
        for event in events:
            if not event.kind.startswith(EVENTS):
                continue
            at = event.at.timestamp() if event.at else float("inf")
            digests = (
                (event.digest,) if event.digest else (*self._tagged[event.resource], *names.get(event.resource, ()))
            )
            for digest in digests:
                found[digest] = max(at, found.get(digest, at))
        return found

    def _is_active(self, tag: str, kind: str) -> bool:
        found = self._subscriptions.get((tag, kind))
        return bool(found and found.active)

    def _newest_of(self, digest: str) -> list[str]:
        """Return the tags that an image is the newest of: what a server watches of a tag."""
        image = self.images[digest]
        return [tag for tag in image.tags if self._is_newest(image, tag)]

    def _is_newest(self, image: ServerImage, tag: str) -> bool:
        mine = image.tagged_at.get(tag, _UNDATED)
        others = [self.images[each] for each in self._tagged[tag] if each != image.digest]
        # Where two are said to be as new, neither is taken for watched: they are asked about.
        return all(each.tagged_at.get(tag, _UNDATED) < mine for each in others)
