"""A site with everything for the pipelines of the tests: registries, Notary, an engine, and a controller."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import requests

from lab.docker import Engine
from lab.harness import harness
from lab.notary import PASSPHRASES, Notary
from lab.pki import Pki
from lab.registry import Registry
from tests.images import DEBIAN
from tests.integration.controller import ROOT, Controller, agent_environment

EXAMPLES = ROOT / "examples" / "jenkins"
LOGIN = ("robot", "registry-password")
DEBOOTSTRAP = """\
#!/bin/sh
# Debian's mirrors are not what is tested: a root that looks like Debian's.
set -eu
mkdir -p "$3/etc" "$3/var/lib/dpkg" "$3/dev"
cp "$(dirname "$0")/os-release" "$(dirname "$0")/passwd" "$3/etc/"
printf '%s\\n' 'Package: base-files' 'Status: install ok installed' 'Version: 12.4' 'Architecture: amd64' '' \\
  > "$3/var/lib/dpkg/status"
"""


class Site:
    """A site with everything: registries, Notary, an engine, and a controller that knows their credentials."""

    def __init__(
        self, directory: Path, pki: Pki, staging: Registry, trusted: Registry, notary: Notary, engine: Engine
    ) -> None:
        self.directory, self.pki, self.staging, self.trusted, self.notary = directory, pki, staging, trusted, notary
        self.site_file = directory / "site.yaml"
        self.settings: dict[str, Any] = {
            "hosts": {host: {"ca_file": str(pki.ca_file)} for host in (staging.host, trusted.host, notary.host)},
            "cache": {"directory": str(directory / "cache")},
            "trusted": {"registry": trusted.host, "bases": [f"{trusted.host.replace('.', '[.]')}/platform/.*"]},
            "policy": {"bundle": "application"},
            "notary": {
                "server": notary.url,
                "keys": str(directory / "keys"),
                "trust_on_first_use": True,
                "create_root": True,
            },
            "advisories": {"database": str(directory / "advisories.sqlite")},
            "lock": ["trusted", "notary.server", "policy.missing_advisories", "policy.unmapped"],
        }
        self.site_file.write_text(json.dumps(self.settings))
        tools = directory / "tools"
        tools.mkdir()
        for name, text in (("debootstrap", DEBOOTSTRAP), *((Path(name).name, text) for name, text in DEBIAN.items())):
            (tools / name).write_text(text)
        (tools / "debootstrap").chmod(0o755)
        self.environment = {
            "IMAGEGATE_SITE_CONFIG": str(self.site_file),
            "IMAGEGATE_REGISTRY_HOST": trusted.host,
            "IMAGEGATE_REGISTRY_CREDENTIALS": "registry-robot",
            "IMAGEGATE_NOTARY_ROOT_PASSPHRASE_CREDENTIALS": "notary-root",
            "IMAGEGATE_NOTARY_TARGETS_PASSPHRASE_CREDENTIALS": "notary-targets",
            "TRUSTED_REGISTRY": trusted.host,
            "IMAGEGATE_STAGING": staging.host,
            "IMAGEGATE_PROMOTION_JOB": "/platform/promote",
            "DOCKER_HOST": engine.host,
            "DOCKER_CONFIG": str(directory / "docker"),
        }
        agents = agent_environment(directory, self.environment)
        agents["PATH"] = f"{tools}:{agents['PATH']}"
        signing = {
            "notary-root": {"kind": "string", "secret": PASSPHRASES["NOTARY_ROOT_PASSPHRASE"]},
            "notary-targets": {"kind": "string", "secret": PASSPHRASES["NOTARY_TARGETS_PASSPHRASE"]},
        }
        robot = {"kind": "usernamePassword", "username": LOGIN[0], "password": LOGIN[1]}
        self.everything = {"registry-robot": robot, **signing}
        self.controller = Controller(directory / "controller", harness(), agents, self.everything)

    def example(self, name: str, **scenario: Any) -> dict[str, Any]:
        """Run an example's Jenkinsfile in its own repository."""
        folder = EXAMPLES / name
        return self.controller.run(folder / "Jenkinsfile", scm=str(folder), **scenario)

    def tag(self, repository: str, tag: str) -> str | None:
        """Return the digest that a tag of the trusted registry points at."""
        reply = requests.head(
            f"https://{self.trusted.host}/v2/{repository}/manifests/{tag}",
            headers={"Accept": "application/vnd.oci.image.manifest.v1+json"},
            auth=LOGIN,
            verify=str(self.pki.ca_file),
            timeout=10,
        )
        return reply.headers["Docker-Content-Digest"] if reply.status_code == 200 else None

    def signed(self, repository: str) -> dict[str, str]:
        """Return tag to digest as Debian's `notary` verifies it."""
        trust = self.directory / f"peer-{repository.replace('/', '-')}"
        listing = self.notary.cli("list", f"{self.trusted.host}/{repository}", trust=trust, check=False)
        rows = [line.split() for line in listing.stdout.splitlines() if "sha256" not in line]
        return {row[0]: f"sha256:{row[1]}" for row in rows if len(row) == 4 and len(row[1]) == 64}

    def assert_promoted(self, repository: str, *tags: str) -> None:
        """A consumer finds each tag, and what it points at is what is signed."""
        signed = self.signed(repository)
        for tag in tags:
            assert self.tag(repository, tag) == signed[tag], f"{repository}:{tag} of {signed}"

    def import_advisories(self) -> None:
        """Fill the advisory database, by a pipeline."""
        imported = self.controller.run(
            f"@Library('imagegate') _\nnode {{ imagegate args: ['db', 'import', '{ROOT / 'demo' / 'advisories'}'] }}",
            restart="never",
        )
        assert imported["result"] == "SUCCESS", imported["error"]

    def prepare(self) -> None:
        """Import the advisories, and promote the base image by its own example."""
        self.import_advisories()
        based = self.example("base-image")
        assert based["result"] == "SUCCESS", based["error"]
