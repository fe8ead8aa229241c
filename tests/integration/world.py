"""One gate with everything around it: registries and Notary behind proxies that can go wrong, settings, the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from lab.notary import PASSPHRASES, Notary
from lab.pki import Pki
from lab.proxy import FaultProxy
from lab.registry import Registry
from tests.images import DEBIAN, Layout

POLICY = {
    "id": "root-is-refused",
    "version": "1_0",
    "name": "root is refused",
    "policies": [
        {
            "id": "p",
            "version": "1_0",
            "name": "p",
            "rules": [
                {
                    "id": "r",
                    "gate": "dockerfile",
                    "trigger": "effective_user",
                    "action": "STOP",
                    "params": [{"name": "users", "value": "root"}, {"name": "type", "value": "blacklist"}],
                }
            ],
        }
    ],
    "whitelists": [],
    "mappings": [
        {
            "id": "m",
            "name": "all",
            "registry": "*",
            "repository": "*",
            "image": {"type": "tag", "value": "*"},
            "policy_ids": ["p"],
            "whitelist_ids": [],
        }
    ],
    "whitelisted_images": [],
    "blacklisted_images": [],
}


class World:
    """Settings and servers of one test. `images` makes images, `run` runs the command."""

    def __init__(
        self,
        directory: Path,
        pki: Pki,
        staging: Registry,
        trusted: FaultProxy,
        notary_proxy: FaultProxy,
        notary: Notary,
    ) -> None:
        self.directory, self.pki, self.staging = directory, pki, staging
        self.trusted, self.notary_proxy, self.notary = trusted, notary_proxy, notary
        self.images = Layout(directory / "images")
        self.logins: dict[str, str] = {}
        self.running: subprocess.Popen[str] | None = None
        (directory / "policy.json").write_text(json.dumps(POLICY))
        ca = {"ca_file": str(pki.ca_file)}
        self.settings: dict[str, Any] = {
            "hosts": dict.fromkeys((staging.host, trusted.host, notary_proxy.host), ca),
            "cache": {"directory": str(directory / "cache")},
            "http": {"budget": 3, "retries": 2, "read_timeout": 5, "connect_timeout": 2},
            "trusted": {"registry": trusted.host},
            "policy": {"bundle": str(directory / "policy.json")},
            "notary": {
                "server": notary_proxy.url,
                "keys": str(directory / "keys"),
                "trust_on_first_use": True,
                "create_root": True,
            },
        }

    def good(self, marker: str = "", name: str = "good") -> str:
        """Make an image that passes; different markers, different digests."""
        image = self.images.image([DEBIAN, {"app/marker": marker}], config={"User": "app"})
        return self.images.name(image, name)

    def bad(self) -> str:
        """Make an image that is stopped, because it runs as root."""
        return self.images.name(self.images.image([DEBIAN]), "bad")

    def repository(self, name: str) -> str:
        return f"{self.trusted.host}/{name}"

    def environment(self) -> dict[str, str]:
        site = self.directory / "site.yaml"
        site.write_text(json.dumps(self.settings))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("IMAGEGATE_", "DOCKER_"))}
        return {
            **kept,
            **PASSPHRASES,
            **self.logins,
            "IMAGEGATE_SITE_CONFIG": str(site),
            "DOCKER_CONFIG": str(self.directory / "docker"),
            "HOME": str(self.directory),
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command."""
        self.running = subprocess.Popen(
            [sys.executable, "-m", "imagegate.cli.main", *arguments],
            cwd=self.directory,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self.running

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        process = self.start(*arguments)
        stdout, stderr = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    def kill(self) -> None:
        """Kill the running command with SIGKILL."""
        assert self.running
        self.running.kill()
        self.running.wait(10)

    def gate(
        self, image: str, repository: str, *tags: str, then: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run `imagegate gate`."""
        named = [part for tag in tags or ("1.0",) for part in ("--tag", tag)]
        return self.run("gate", image, "--to", self.repository(repository), *named, *then)

    def tag(self, repository: str, tag: str = "1.0") -> str | None:
        """Return the digest that a tag of the trusted registry points at, asked of the registry itself."""
        reply = requests.head(
            f"{self.trusted.url}/v2/{repository}/manifests/{tag}",
            headers={"Accept": "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"},
            verify=str(self.pki.ca_file),
            timeout=10,
        )
        return reply.headers["Docker-Content-Digest"] if reply.status_code == 200 else None

    def signed(self, repository: str) -> dict[str, str]:
        """Return tag to digest as Debian's `notary` verifies it, from nothing but the server."""
        trust = self.directory / f"peer-{repository.replace('/', '-')}"
        listing = self.notary.cli("list", self.repository(repository), trust=trust, check=False)
        rows = [line.split() for line in listing.stdout.splitlines() if "sha256" not in line]
        return {row[0]: f"sha256:{row[1]}" for row in rows if len(row) == 4 and len(row[1]) == 64}

    def assert_no_unsigned_tag(self, repository: str, *tags: str) -> None:
        """Invariant 2: whatever happened, a tag that exists points at a digest that is signed."""
        signed = self.signed(repository)
        for tag in tags or ("1.0",):
            pointed = self.tag(repository, tag)
            assert pointed is None or pointed in signed.values(), f"{tag} is {pointed}, signed is {signed}"


Make = Callable[[], World]
