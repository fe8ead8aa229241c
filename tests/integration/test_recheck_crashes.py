"""A re-check that is killed at any moment: run again, all is told, and nothing is told as two messages.

`python -m bench.recheck --kills 100` does the same at a fleet's size.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.inbox import Webhook, webhook
from tests.unit.rechecks import HIGH, TEXT, Site
from tests.unit.test_inventory import advisory, deb

KILLS = int(os.environ.get("IMAGEGATE_TEST_KILLS", "12"))
PACKAGES, IMAGES = 40, 8


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as served:
        yield served


@pytest.fixture
def site(tmp_path: Path, hook: Webhook) -> Iterator[Site]:
    site = Site(tmp_path)
    site.know(advisory("CVE-2025-0001", "none"))
    packages = [deb(f"package-{number}") for number in range(PACKAGES)]
    for number in range(IMAGES):
        digest = f"sha256:{number}"
        site.promote(f"app-{number}", *packages, digest=digest, team=f"team-{number % 4}", policy=TEXT)
    site.settings["hosts"] = {hook.host: {"plain_http": True}}
    # Three times the budget is how long who took a notice is taken to be at it.
    site.settings["http"] = {"budget": 0.5, "read_timeout": 0.5}
    site.settings["notify"] = {"channels": {"hook": {"kind": "webhook", "url": hook.url}}}
    yield site
    site.inventory.engine.dispose()


def test_killed_at_random_moments_all_is_told_and_nothing_twice(site: Site, hook: Webhook) -> None:
    dice = random.Random(9)
    at = time.monotonic()
    site.start("recheck").communicate()
    longest = time.monotonic() - at
    told = 0
    for number in range(KILLS):
        # Every third run finds something new, the others what the killed ones have left.
        if number % 3 == 0:
            names = (f"CVE-2026-{told:02}{each:02}" for each in range(PACKAGES))
            site.know(*(advisory(name, f"package-{each}", **HIGH) for each, name in enumerate(names)))
            told += 1
        process = site.start("recheck", *(["--full"] if number % 2 else []))
        time.sleep(dice.uniform(0.3, 1.1) * longest)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    time.sleep(1.6)
    last = site.start("recheck")
    words = last.communicate()
    assert last.returncode in (0, 1), words
    first: dict[tuple[str, str], str] = {}
    for post in hook.posts:
        news = post.document["news"]
        for image in news["images"]:
            for hit in image["hits"]:
                found = (image["digest"], news["changes"][hit["change"]]["vulnerability"])
                assert first.setdefault(found, post.key) == post.key, f"{found} is in two messages"
    assert len(first) == IMAGES * PACKAGES * told
