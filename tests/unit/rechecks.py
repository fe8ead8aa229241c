"""A site with promoted images, advisories and the command, for the tests of re-checks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from imagegate.cli.app import App
from imagegate.cli.main import attempt
from tests.unit.test_inventory import Fleet


def _rule(severity: str, action: str, comparison: str) -> dict[str, Any]:
    params = {"package_type": "all", "severity_comparison": comparison, "severity": severity}
    return {
        "id": severity,
        "gate": "vulnerabilities",
        "trigger": "package",
        "action": action,
        "params": [{"name": name, "value": value} for name, value in params.items()],
    }


POLICY: dict[str, Any] = {
    "id": "p",
    "name": "p",
    "version": "1_0",
    "policies": [
        {
            "id": "rules",
            "name": "rules",
            "version": "1_0",
            "rules": [
                _rule("high", "STOP", ">="),
                _rule("medium", "WARN", "="),
            ],
        }
    ],
    "whitelists": [],
    "mappings": [
        {
            "id": "m",
            "name": "m",
            "registry": "*",
            "repository": "*",
            "image": {"type": "tag", "value": "*"},
            "policy_id": "rules",
            "whitelist_ids": [],
        }
    ],
    "whitelisted_images": [],
    "blacklisted_images": [],
}
TEXT = json.dumps(POLICY)
HIGH: dict[str, Any] = {"database_specific": {"severity": "HIGH"}}
MEDIUM: dict[str, Any] = {"database_specific": {"severity": "MODERATE"}}
LOW: dict[str, Any] = {"database_specific": {"severity": "LOW"}}


class Site(Fleet):
    """A Fleet, and the command with this site's settings."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.settings: dict[str, Any] = {
            "inventory": {"url": f"sqlite:///{directory / 'inventory.sqlite'}"},
            "advisories": {"database": str(self.database)},
        }

    def write(self) -> Path:
        file = self.directory / "site.yaml"
        file.write_text(yaml.safe_dump(self.settings))
        return file

    def run(self, *words: str, **environment: str) -> tuple[int, Any]:
        """Run the command here, and return its exit code and what it answered."""
        app = App()
        mine = {"IMAGEGATE_SITE_CONFIG": str(self.write()), "XDG_DATA_HOME": str(self.directory / "data")}
        before = dict(os.environ)
        os.environ.update({**mine, **environment})
        try:
            end = attempt([*words], app)
        finally:
            os.environ.clear()
            os.environ.update(before)
        return end.code, app.document if not end.words else end.words

    def start(self, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start the command as a process of its own."""
        mine = {"IMAGEGATE_SITE_CONFIG": str(self.write()), "XDG_DATA_HOME": str(self.directory / "data")}
        return subprocess.Popen(
            [sys.executable, "-m", "imagegate.cli.main", *words],
            env={**os.environ, **mine, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


def hits(news: Any) -> set[tuple[str, str]]:
    """Return (image, vulnerability) of the news."""
    return {(image.name, news.changes[hit.change].vulnerability) for image in news.images for hit in image.hits}


def actions(news: Any) -> dict[str, str]:
    """Return the action by vulnerability, where all images have the same."""
    return {
        news.changes[hit.change].vulnerability: hit.action.value if hit.action else "undecided"
        for image in news.images
        for hit in image.hits
    }
