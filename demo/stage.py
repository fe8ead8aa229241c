"""The stage that the demo plays on: servers, settings, and an engine, in a temporary directory."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker

from demo.narrator import Narrator
from lab.docker import Engine, docker_engine
from lab.notary import PASSPHRASES, Notary
from lab.pki import Pki
from lab.registry import Registry

ADVISORIES = Path(__file__).parent / "advisories"


@dataclass(frozen=True)
class Stage:
    """Everything that runs. staging and trusted: `host:port` of the registries."""

    directory: Path
    engine: Engine
    staging: str
    trusted: str
    notary: Notary
    narrator: Narrator

    @contextmanager
    def docker(self) -> Iterator[docker.APIClient]:
        """Open the engine, for what a build job does with plain Docker."""
        client = docker.APIClient(base_url=self.engine.host, timeout=600)
        try:
            yield client
        finally:
            client.close()

    @property
    def site_file(self) -> Path:
        return self.directory / "site.yaml"


@contextmanager
def open_stage(directory: Path) -> Iterator[Stage]:
    """Start the servers and write the site's settings; end every process that was started when it is left."""
    with ExitStack() as stack:
        pki = Pki(directory / "pki")
        engine = stack.enter_context(docker_engine(directory / "engine"))
        staging = stack.enter_context(Registry(directory / "staging", pki, name="staging"))
        trusted = stack.enter_context(Registry(directory / "trusted", pki, name="trusted"))
        notary = stack.enter_context(Notary(directory / "notary", pki))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("IMAGEGATE_", "DOCKER_"))}
        environment = {
            **kept,
            **PASSPHRASES,
            "IMAGEGATE_SITE_CONFIG": str(directory / "site.yaml"),
            "DOCKER_HOST": engine.host,
            "DOCKER_CONFIG": str(directory / "docker"),
            "HOME": str(directory),
        }
        stage = Stage(directory, engine, staging.host, trusted.host, notary, Narrator(environment, directory))
        _write_settings(stage, pki)
        yield stage


def _write_settings(stage: Stage, pki: Pki) -> None:
    """Write the site file: what a platform team sets once. JSON is YAML."""
    ca = {"ca_file": str(pki.ca_file)}
    settings = {
        "hosts": dict.fromkeys((stage.staging, stage.trusted, stage.notary.host), ca),
        "cache": {"directory": str(stage.directory / "cache")},
        "trusted": {"registry": stage.trusted, "bases": [f"{stage.trusted.replace('.', '[.]')}/platform/.*"]},
        "notary": {
            "server": stage.notary.url,
            "keys": str(stage.directory / "keys"),
            "create_root": True,
            "trust_on_first_use": True,
        },
        "advisories": {"database": str(stage.directory / "advisories.sqlite")},
        "lock": ["trusted", "notary", "policy.missing_advisories", "policy.unmapped"],
    }
    stage.site_file.write_text(json.dumps(settings, indent=2))
