"""Re-checks in a real PostgreSQL: shards and schedulers at once find all, and tell each of it once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from imagegate.inventory.store import Inventory
from lab.postgresql import PASSWORD, Postgresql
from tests.fakes.inbox import webhook
from tests.unit.rechecks import HIGH, TEXT, Site
from tests.unit.test_inventory import advisory, deb

PACKAGES, TEAMS = 60, 6


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Postgresql() as server:
        site = Site(tmp_path)
        site.inventory.engine.dispose()
        url = server.database()
        site.inventory = Inventory(url, PASSWORD)
        site.settings["inventory"]["url"] = url
        site.know(advisory("CVE-2025-0001", "none"))
        packages = [deb(f"package-{number}") for number in range(PACKAGES)]
        for number in range(TEAMS):
            digest, team = f"sha256:{number}", f"team-{number}"
            site.promote(f"app-{number}", *packages, digest=digest, team=team, policy=TEXT)
        yield site
        site.inventory.engine.dispose()


def test_at_once_all_is_found_and_each_is_told_once(site: Site) -> None:
    with webhook() as hook:
        site.settings["hosts"] = {hook.host: {"plain_http": True}}
        site.settings["notify"] = {"channels": {"hook": {"kind": "webhook", "url": hook.url}}}
        site.know(*(advisory(f"CVE-2026-{each:04}", f"package-{each}", **HIGH) for each in range(PACKAGES)))
        password = {"IMAGEGATE_INVENTORY_PASSWORD": PASSWORD}
        # A shard that is run twice, and one that nobody runs but the last, which does all that is left.
        shards = [site.start("recheck", "--shard", f"{index}/4", **password) for index in (1, 2, 2, 3)]
        for each in shards:
            words = each.communicate()
            assert each.returncode == 0, words
        schedulers = [site.start("recheck", **password) for _ in range(3)]
        codes = []
        for each in schedulers:
            words = each.communicate()
            codes.append(each.returncode)
            assert each.returncode in (0, 1), words
        assert 1 in codes
    told = [
        (image["digest"], post.document["news"]["changes"][hit["change"]]["vulnerability"])
        for post in hook.posts
        for image in post.document["news"]["images"]
        for hit in image["hits"]
    ]
    assert len(told) == len(set(told)) == PACKAGES * TEAMS
