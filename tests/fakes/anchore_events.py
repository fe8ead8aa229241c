"""What a fake Anchore server watches: tags with an active subscription, as the engine's catalog does it.

(Anchore Engine 1.1, catalog, `handle_vulnerability_scan` and `handle_policyeval`: the newest image of a tag; the first
scan is only remembered. Recorded: an event of the type `user.checks.tag.policy_evaluation.update`.)
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.fakes.anchore import FakeAnchore, FakeImage

USER = "admin"
_TYPES = {
    "vuln_update": ("vulnerabilities.update", "Vulnerability update detected for tagged image"),
    "policy_eval": ("policy_evaluation.update", "Policy evaluation update detected for a tagged image"),
}


class Watcher:
    """events: the newest last, in the words of version 1. at: what the server's clock is ahead of ours."""

    def __init__(self, fake: FakeAnchore) -> None:
        self._fake = fake
        self._last: dict[tuple[str, str, str], Any] = {}
        self.events: list[dict[str, Any]] = []
        self.ahead = timedelta()

    def watch(self) -> int:
        """Do what the server does every few hours, and return how many events there are of it."""
        before = len(self.events)
        for each in list(self._fake.subscriptions.values()):
            kind, tag = each["subscription_type"], each["subscription_key"]
            newest = [image for image in self._fake.images.values() if tag in image.tags][-1:]
            if each["active"] and kind in _TYPES:
                for image in newest:
                    self._scan(kind, tag, image)
        return len(self.events) - before

    def settle(self) -> None:
        """Have all subscriptions be some days old."""
        for each in self._fake.subscriptions.values():
            each["last_updated"] = int((datetime.now(UTC) - timedelta(days=3)).timestamp())

    def _scan(self, kind: str, tag: str, image: FakeImage) -> None:
        if kind == "vuln_update":
            listed = [each for _, each in self._fake.vulnerabilities(image)]
            found = {f"{each['vuln']}+{each['package']}": each for each in listed}
            last = self._last.get((kind, tag, image.digest), found)
            details: dict[str, Any] = {
                "diff_vulnerability_result": {
                    "added": [found[name] for name in found.keys() - last.keys()],
                    "updated": [found[name] for name in found.keys() & last.keys() if found[name] != last[name]],
                    "removed": [last[name] for name in last.keys() - found.keys()],
                },
                "imageDigest": image.digest,
            }
            differs = any(details["diff_vulnerability_result"].values())
        else:
            found = self._fake.evaluated(image, tag)
            last = self._last.get((kind, tag, image.digest), found)
            details, differs = {"curr_eval": found, "last_eval": last}, found != last
        self._last[kind, tag, image.digest] = json.loads(json.dumps(found))
        if differs:
            self._tell(kind, tag, details)

    def _tell(self, kind: str, tag: str, details: dict[str, Any]) -> None:
        name, message = _TYPES[kind]
        at = f"{datetime.now(UTC) + self.ahead:%Y-%m-%dT%H:%M:%S.%fZ}"
        self.events.append(
            {
                "created_at": at, "generated_uuid": f"{len(self.events):032x}",
                "event": {
                    "type": f"user.checks.tag.{name}", "level": "info", "message": message,
                    "details": {**details, "subscription_type": kind}, "timestamp": at, "category": "user",
                    "resource": {"userId": USER, "id": tag, "type": "image_tag"},
                    "source": {"servicename": "catalog", "hostid": "h", "base_url": "", "request_id": ""},
                },
            }
        )  # fmt: skip
