"""What `imagegate db status` tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from imagegate.model import FeedState
from imagegate.vulnerability.delivery import SourceState
from imagegate.vulnerability.update.catalogue import SOURCES

_DAY = 86400.0


def document(file: Path, sources: Sequence[SourceState], feeds: Sequence[FeedState], limit: int) -> dict[str, Any]:
    """Return the fields of the JSON document. limit: days."""
    counted = _counted(sources, feeds)
    listed = [
        {
            "name": source.name,
            "url": source.url,
            "records": counted[source.name][0],
            "newest": _time(counted[source.name][1]),
            "fetched_at": _time(source.fetched_at),
            "checked_at": _time(source.checked_at),
        }
        for source in sources
    ]
    return {"file": str(file), "max_age_days": limit, "sources": listed, "feeds": feeds}


def text(sources: Sequence[SourceState], feeds: Sequence[FeedState], limit: int, now: datetime) -> Iterator[str]:
    """Yield lines for a person. limit: days, 0 for none."""
    counted = _counted(sources, feeds)
    rows = [("source", "records", "newest record", "fetched", "current", "age")] if sources else []
    rows += [
        (
            source.name,
            f"{counted[source.name][0]}",
            _day(counted[source.name][1]),
            _minute(source.fetched_at),
            _minute(source.checked_at),
            _age(source.checked_at, limit, now),
        )
        for source in sources
    ]
    yield from _table(rows)
    if sources and feeds:
        yield ""
    heads = [("ecosystem", "records", "newest record", "current", "age")] if feeds else []
    yield from _table(
        heads
        + [
            (
                feed.ecosystem,
                f"{feed.records}",
                _day(feed.newest.timestamp() if feed.newest else None),
                _minute(feed.synced_at.timestamp()),
                _age(feed.synced_at.timestamp(), limit, now),
            )
            for feed in feeds
        ]
    )


def _counted(sources: Sequence[SourceState], feeds: Sequence[FeedState]) -> dict[str, tuple[int, float | None]]:
    """The records and the newest of each source; of CISA's catalog and FIRST's scores the ecosystem's table tells."""
    found = {source.name: (source.records, source.newest) for source in sources}
    by_name = {feed.ecosystem: feed for feed in feeds}
    for source in sources:
        covers = SOURCES[source.name].covers if source.name in SOURCES else ()
        feed = by_name.get(covers[0]) if covers else None
        if feed and covers[0] in ("KEV", "EPSS"):
            found[source.name] = (feed.records, feed.newest.timestamp() if feed.newest else None)
    return found


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [row[0].ljust(widths[0]), row[1].rjust(widths[1])]
        cells += [cell.ljust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        yield "  ".join(cells).rstrip()


def _age(seconds: float, limit: int, now: datetime) -> str:
    days = (now.timestamp() - seconds) / _DAY
    if not limit:
        return f"{days:.1f} days"
    return f"{days:.1f} of {limit} days" + (", TOO OLD" if days > limit else "")


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _day(seconds: float | None) -> str:
    return "-" if seconds is None or seconds < 0 else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"


def _minute(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
