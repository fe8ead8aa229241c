"""The re-check by an Anchore server: which images it must be asked about, and asking it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection

from imagegate.anchore import freshness
from imagegate.anchore.client import AnchoreClient
from imagegate.anchore.server import ServerEvent, ServerSubscription
from imagegate.anchore.watch import EVENTS, KINDS, Watch
from imagegate.cli.app import App
from imagegate.cli.recheck_source import Done
from imagegate.cli.server_contents import SILENT, lineage
from imagegate.inventory.asked import Asked, LiveImage, asked, heed, live
from imagegate.inventory.rematch import remembered
from imagegate.inventory.server_recheck import Heard, by_digest, recheck, shard
from imagegate.inventory.standing import Known
from imagegate.inventory.store import Inventory
from imagegate.model import Digest

OVERLAP = 3600.0
"""Seconds that events are read once more: clocks differ, and events come late."""
_AT_ONCE = 4


class ServerSource:
    """The server that the settings name. (`recheck_source.Source`.)

    One that cannot be reached is a problem of the run, and not its end: what other runs found is told all the same.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._is_away = False

    @cached_property
    def _client(self) -> AnchoreClient:
        return self._app.factory.anchore()

    def recheck(self, inventory: Inventory, part: tuple[int, int] | None, *, full: bool, now: float) -> Done:
        """Ask about the images that events are about, that cannot be relied on to be told of, or all."""
        try:
            client = self._client
            # First the inventory: what is promoted meanwhile the server's list may lack.
            with inventory.reading() as connection:
                images, known = live(connection), asked(connection, lineage(client))
            watch = Watch(client.images(), self._subscriptions(client))
        except SILENT as error:
            self._is_away = True
            return Done(0, 0, (f"the Anchore server could not be asked: {_line(error)}",))
        mine = set(shard(images, *part)) if part else set(images)
        able = {digest for digest in images if watch.is_analysed(digest)}
        wanted = mine & able
        if self._app.settings.recheck.subscribe:
            self._subscribe(client, watch, wanted)
        due = wanted if full else self._due(inventory, watch, images, wanted, known, now)
        with self._app.progress.task("re-check", len(due)) as task:
            heard = recheck(
                inventory,
                lineage(client),
                lambda digest: client.found(Digest(digest)).vulnerabilities,
                due,
                others=able,
                now=now,
                advance=task.advance,
            )
        problems = [_unable(watch, images[digest], client.session.host) for digest in sorted(mine - able)]
        return Done(len(heard.deltas), heard.components, (*problems, *_silent(heard, images)))

    def known(self) -> Known:
        """Return the inventory's own memory: what the server said when it was asked."""
        return remembered

    def silent(self, _: Connection) -> tuple[str, ...]:
        """Return none: `undecided` tells of what the server has no data on."""
        return ()

    def undecided(self, inventory: Inventory, now: float) -> tuple[str, ...]:
        """Compare the server's feeds with what images are of."""
        if self._is_away:
            return ()
        try:
            feeds = self._client.feeds()
        except SILENT as error:
            return (f"the Anchore server does not tell how old its data is: {_line(error)}",)
        with inventory.reading() as connection:
            distros = {each.distro: None for each in live(connection).values() if each.distro}
        settings = self._app.settings
        return freshness.undecided(
            feeds,
            distros,
            max_age_days=settings.advisories.max_age_days,
            missing_passes=settings.policy.missing_advisories == "go",
            now=now,
        )

    def _due(
        self,
        inventory: Inventory,
        watch: Watch,
        images: dict[str, LiveImage],
        wanted: set[str],
        known: dict[str, Asked],
        now: float,
    ) -> set[str]:
        """Return the images to ask about. Of the others, note until when the server had no events of them."""
        due = {
            each for each in wanted if each not in known or known[each].is_old(now) or not watch.is_watched(each, now)
        }
        rest = wanted - due
        if not rest:
            return due
        since = min(known[each].heard for each in rest) - OVERLAP
        names = by_digest((digest, image.names) for digest, image in images.items())
        try:
            changed = watch.changed(self._events(self._client, since), names)
        except SILENT as error:
            self._app.say(f"note: all images are asked about, since events cannot be had: {_line(error)}")
            return wanted
        due |= {each for each in rest if changed.get(each, float("-inf")) >= known[each].heard - OVERLAP}
        with inventory.transaction() as connection:
            heed(connection, lineage(self._client), rest - due, now)
        return due

    def _events(self, client: AnchoreClient, since: float) -> Iterator[ServerEvent]:
        """Yield events, the newest first, until they are too old."""
        query: dict[str, Any] = {
            "event_type": EVENTS,
            "since": f"{datetime.fromtimestamp(since, UTC):%Y-%m-%dT%H:%M:%SZ}",
        }
        for event in client.events(**query):
            if event.at and event.at.timestamp() < since:
                return
            yield event

    def _subscriptions(self, client: AnchoreClient) -> tuple[ServerSubscription, ...]:
        try:
            return tuple(each for kind in KINDS for each in client.subscriptions(kind=kind))
        except SILENT as error:
            self._app.say(f"note: all images are asked about, since subscriptions cannot be had: {_line(error)}")
            return ()

    def _subscribe(self, client: AnchoreClient, watch: Watch, digests: set[str]) -> None:
        """Have the server watch images. Where it does not let itself be told, they are asked about by every run."""
        from concurrent.futures import ThreadPoolExecutor

        refusals: list[str] = []

        def one(tag: str, kind: str, known: str) -> None:
            if refusals:
                return
            try:
                client.watch(tag, kind, known)
            except SILENT as error:
                refusals.append(f"{tag}: {_line(error)}")

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for each in dict.fromkeys(watch.unwatched(sorted(digests))):
                pool.submit(one, *each)
        if refusals:
            self._app.say(f"note: the server is not told to watch {refusals[0]}")


def _unable(watch: Watch, image: LiveImage, host: str) -> str:
    found = watch.images.get(image.digest)
    if found is None:
        return f"{image.shown}: the Anchore server {host} does not have it; `imagegate check` gives it an image"
    return f"{image.shown}: the Anchore server {host} has not analysed it, it is {found.state.value}"


def _silent(heard: Heard, images: dict[str, LiveImage]) -> Iterator[str]:
    for digest, why in sorted(heard.silent.items()):
        yield f"{images[digest].shown if digest in images else digest}: {why}"
    if heard.unasked:
        yield f"{heard.unasked} more images were not asked about, since the Anchore server is away"


def _line(error: Exception) -> str:
    return str(error).replace("\n", " ")
