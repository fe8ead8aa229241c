"""Which images an Anchore server tells of by itself, and what its events are about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from imagegate.anchore import wire
from imagegate.anchore.freshness import undecided
from imagegate.anchore.server import ImageState, ServerEvent, ServerFeed, ServerImage, ServerSubscription
from imagegate.anchore.watch import Watch
from imagegate.model import Digest, Distro

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
OLD = NOW - timedelta(days=3)
A, B = (Digest("sha256:" + each * 64) for each in "ab")
TAG = "staging.example.com/gate/app:1.0"
KIND = "user.checks.tag.vulnerabilities.update"


def image(digest: Digest, at: datetime = OLD, tag: str = TAG, state: ImageState = ImageState.ANALYZED) -> ServerImage:
    return ServerImage(digest, state, (tag,), tagged_at={tag: at})


def subscription(kind: str = "vuln_update", **fields: Any) -> ServerSubscription:
    return ServerSubscription("1", TAG, kind, fields.pop("active", True), fields.pop("changed_at", OLD))


def watched(*images: ServerImage, by: ServerSubscription) -> list[Digest]:
    watch = Watch(images, [by])
    return [each.digest for each in images if watch.is_watched(each.digest, NOW.timestamp())]


@pytest.mark.parametrize(
    ("by", "found"),
    [
        (subscription(), [A]),
        (subscription(active=False), []),
        (subscription("policy_eval"), []),
        (subscription(changed_at=NOW - timedelta(hours=2)), []),
        (subscription(changed_at=None), []),
    ],
)
def test_a_subscription_counts_once_the_server_has_surely_scanned(by: ServerSubscription, found: list[Digest]) -> None:
    assert watched(image(A), by=by) == found


def test_of_a_tag_only_the_newest_image_is_watched() -> None:
    assert watched(image(A), image(B, NOW), by=subscription()) == [B]
    assert watched(image(A), image(B), by=subscription()) == []


def test_what_is_lacking_is_switched_on_or_made_for_one_tag_of_an_image() -> None:
    off = subscription(active=False)
    watch = Watch([image(A), image(B, tag="other:1")], [off])
    assert list(watch.unwatched([A, B])) == [
        (TAG, "vuln_update", "1"),
        (TAG, "policy_eval", ""),
        ("other:1", "vuln_update", ""),
        ("other:1", "policy_eval", ""),
    ]
    assert list(Watch([image(A), image(B)], []).unwatched([A, B])) == [], "neither is known to be the newest"
    both = [subscription(), subscription("policy_eval")]
    assert list(Watch([image(A)], both).unwatched([A])) == []


def test_an_event_is_about_the_digest_that_it_names_or_all_images_of_its_tag() -> None:
    watch = Watch([image(A), image(B)], [])
    later = NOW + timedelta(hours=1)
    named = ServerEvent(NOW, "info", KIND, "", TAG, A)
    assert watch.changed([named], {}) == {A: NOW.timestamp()}
    of_tag = ServerEvent(later, "info", "user.checks.tag.policy_evaluation.update", "", TAG)
    assert watch.changed([of_tag, named], {}) == {A: later.timestamp(), B: later.timestamp()}
    promoted = ServerEvent(NOW, "info", KIND, "", "registry.example.com/app:1.0")
    assert watch.changed([promoted], {"registry.example.com/app:1.0": ["sha256:c"]}) == {"sha256:c": NOW.timestamp()}
    undated = ServerEvent(None, "info", KIND, "", TAG, A)
    assert watch.changed([undated, named], {}) == {A: float("inf")}
    other = ServerEvent(NOW, "info", "user.image.analysis.completed", "", TAG)
    assert watch.changed([other], {}) == {}


def test_only_what_is_analysed_can_be_asked_about() -> None:
    watch = Watch([image(A), image(B, state=ImageState.ANALYZING)], [])
    assert [watch.is_analysed(each) for each in (A, B, "sha256:c")] == [True, False, False]


@pytest.mark.parametrize("name", ["imageDigest", "image_digest"])
def test_events_and_subscriptions_are_read_in_both_versions(name: str) -> None:
    about = {
        "timestamp": "2026-11-23T12:00:00.5Z", "type": KIND, "level": "info", "message": "m",
        "resource": {"id": TAG}, "details": {name: A},
    }  # fmt: skip
    event = wire.event({"event": about})
    assert (event.resource, event.digest, event.at) == (TAG, A, NOW + timedelta(seconds=0.5))
    assert wire.event({"event": {**about, "details": None}}).digest == ""
    told = {"subscription_id": "1", "subscription_key": TAG, "subscription_type": "vuln_update", "active": True}
    for at in (int(NOW.timestamp()), "2026-11-23T12:00:00Z", "2026-11-23T12:00:00"):
        assert wire.subscription({**told, "last_updated": at}).changed_at == NOW
    for at in (None, 0, "soon", 1e99):
        assert wire.subscription({**told, "last_updated": at}).changed_at is None


def feed(group: str, days: float = 0.0, records: int = 10, name: str = "vulnerabilities") -> ServerFeed:
    return ServerFeed(name, group, records, NOW - timedelta(days=days))


@pytest.mark.parametrize(
    ("feeds", "distro", "found"),
    [
        ([], "debian 12", "no data of vulnerabilities"),
        ([feed("debian:12", records=0)], "debian 12", "no data of vulnerabilities"),
        ([feed("debian:12")], "debian 12", ""),
        ([feed("debian:12", 9)], "debian 12", "older than 5 days"),
        ([feed("debian:12", 9), feed("debian:13")], "debian 12", "feed debian:12 is older"),
        ([feed("debian:12", 9), feed("debian:13")], "debian 13", ""),
        ([feed("alpine:3.17")], "alpine 3.17.2", ""),
        ([feed("alpine:3.17")], "alpine 3.12.1", "images are of alpine 3.12.1"),
        ([feed("rhel:9")], "almalinux 9.4", ""),
        ([feed("vulnerabilities", name="grypedb")], "alpine 3.12", ""),
    ],
)
def test_data_that_is_missing_or_old_is_told(feeds: list[ServerFeed], distro: str, found: str) -> None:
    name, _, version = distro.partition(" ")
    told = undecided(feeds, [Distro(name, version)], max_age_days=5, missing_passes=False, now=NOW.timestamp())
    assert found in "".join(told)
    assert bool(told) == bool(found)
    if "older" not in found:
        assert undecided(feeds, [Distro(name, version)], max_age_days=0, missing_passes=True, now=NOW.timestamp()) == ()
