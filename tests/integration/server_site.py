"""A site whose images an Anchore server judged: a fake server, an inventory, and the command."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from imagegate.anchore.client import AnchoreClient, connect
from imagegate.anchore.login import AnchoreLogin
from imagegate.anchore.server import Submission
from imagegate.anchore.session import Session
from imagegate.cli.server_contents import ask
from imagegate.http.client import HttpClient
from imagegate.inventory.model import Promoted, Variant
from imagegate.inventory.recording import record
from imagegate.model import (
    Analysis,
    Digest,
    Distro,
    ImageConfig,
    Package,
    Platform,
    RegistryRef,
    Repository,
    Severity,
    Vulnerability,
    VulnerabilityReport,
)
from imagegate.policy.facts import Facts
from imagegate.settings import Host, Http
from tests.fakes.anchore import PASSWORD, USER, FakeAnchore, Faults
from tests.fakes.contract import DEVIATIONS, general
from tests.unit.rechecks import TEXT, Site

BOOKWORM = Distro("debian", "12")
TRUSTED, STAGING = "registry.example.com", "staging.example.com/gate"
LOGIN = {"IMAGEGATE_ANCHORE_USER": USER, "IMAGEGATE_ANCHORE_PASSWORD": PASSWORD}


def digest_of(name: str) -> Digest:
    return Digest(f"sha256:{sum(ord(each) << 8 * (place % 31) for place, each in enumerate(name)):064x}"[:71])


class ServerSite(Site):
    """A site with `scanner: anchore`. images: what the registry has; known: what the server knows, by package's name.

    of_image: what it says of one image alone.
    """

    def __init__(self, directory: Path, api: str) -> None:
        super().__init__(directory)
        self.images: dict[str, tuple[Package, ...]] = {}
        self.known: dict[str, dict[str, Vulnerability]] = {}
        self.of_image: dict[str, list[Vulnerability]] = {}
        self.fake = FakeAnchore(api, self.look)
        self.fake.feeds_at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        (directory / "p.json").write_text(TEXT)
        self.settings |= {
            "scanner": "anchore",
            "anchore": {"url": self.fake.url},
            "hosts": {self.fake.host: {"plain_http": True}},
            "http": {"budget": 2, "read_timeout": 1, "retries": 2},
            "policy": {"bundle": str(directory / "p.json")},
        }

    def look(self, digest: Digest) -> Facts | None:
        """What the server's analyzer finds in an image, and its feeds say of that."""
        packages = self.images.get(digest)
        if packages is None:
            return None
        found = [each for package in packages for each in self._said(package)]
        analysis = Analysis(
            digest=digest, platform=Platform(), size=0, config=ImageConfig(), layers=(), distro=BOOKWORM,
            packages=packages, files=(), passwd=None, retrieved={}, analyzer="",
        )  # fmt: skip
        report = VulnerabilityReport((*found, *self.of_image.get(digest, ())), ())
        return Facts(analysis=analysis, vulnerabilities=report, image_id=digest)

    def learn(self, name: str, package: str, severity: Severity = Severity.HIGH, fix: str = "", **more: Any) -> None:
        """Have the server know of a vulnerability."""
        said = Vulnerability(name, Package(package, "", "dpkg", ""), severity, fix, **more)  # type: ignore[arg-type]
        self.known.setdefault(package, {})[name] = said

    def unlearn(self, name: str, package: str) -> None:
        del self.known[package][name]

    def promote_by_server(self, name: str, *packages: Package, tag: str = "1.0", team: str = "", **more: Any) -> Digest:
        """Give the server an image, from staging, and record its promotion as `gate` does."""
        digest = self.give(name, *packages, tag=tag)
        known = ask(self.client(), digest)
        variant = Variant("linux/amd64", digest, known.distro, known.packages)
        told = Promoted(f"{TRUSTED}/{name}", digest, (tag,), datetime.now(UTC), (variant,), team=team, **more)
        record(self.inventory, told, state=known.state, vulnerabilities=known.vulnerabilities)
        return digest

    def give(self, name: str, *packages: Package, tag: str = "1.0") -> Digest:
        """Have the server analyse an image that is in staging."""
        digest = digest_of(f"{name}{tag}")
        self.images[digest] = packages
        staged = RegistryRef(Repository("staging.example.com", f"gate/{name}"), "", digest)
        self.client().add(staged, f"{STAGING}/{name}:{tag}", Submission())
        return digest

    def client(self) -> AnchoreClient:
        def session(base_url: str) -> Session:
            http = HttpClient(
                Http(budget=2, read_timeout=1, retries=2),
                {self.fake.host: Host(plain_http=True)},
                login=lambda fetch: AnchoreLogin(LOGIN, fetch, base_url, oauth=False),
            )
            return Session(http, base_url)

        return connect(self.fake.url, "auto", session)

    def recheck_by_server(self, *words: str) -> tuple[int, Any]:
        return self.run("recheck", *words, **LOGIN)

    def cycle(self) -> None:
        """Have the server's watchers do a round, all subscriptions being old, and our last run being hours ago."""
        self.fake.watcher.settle()
        self.fake.watcher.watch()
        with self.inventory.transaction() as connection:
            connection.exec_driver_sql("UPDATE asked SET at = at - 10000, heard = heard - 10000")

    def asked(self) -> int:
        """Return how many images were asked about since the last time."""
        found = self.fake.counted()["GET images/*/vuln/all"]
        self.fake.requests.clear()
        return found

    def violations(self) -> list[str]:
        return sorted({general(each) for each in self.fake.violations} - DEVIATIONS)

    def faults(self, share: float, *ways: str) -> None:
        self.fake.faults = Faults(share, ways)

    def _said(self, package: Package) -> list[Vulnerability]:
        return [msgspec.structs.replace(each, package=package) for each in self.known.get(package.name, {}).values()]


def environment() -> dict[str, str]:
    """What the command needs to log in, beside the settings."""
    return {**os.environ, **LOGIN}
