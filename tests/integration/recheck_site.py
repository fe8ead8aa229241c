"""A site whose re-check runs on agents of Jenkins that share no file: an inventory in PostgreSQL, a mirror."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

from imagegate.inventory.store import Inventory
from lab.harness import harness
from lab.postgresql import PASSWORD, Postgresql
from tests.integration.controller import ROOT, Controller, agent_environment
from tests.unit.rechecks import TEXT, Site
from tests.unit.test_inventory import advisory, deb

PACKAGES, TEAMS = 40, 4
EXAMPLE = ROOT / "examples" / "jenkins" / "re-check" / "Jenkinsfile"
COMMAND = """\
#!/bin/sh
# A machine for each workspace: its own advisories, and its own faults.
XDG_CACHE_HOME={agents}/$(basename "$WORKSPACE")
export XDG_CACHE_HOME
if [ "$1" = step ]; then
  for fault in {faults}/*; do
    if [ -s "$fault" ] && grep -qF "$(cat "$fault")" "$2/request.json"; then
      rm "$fault"
      exec sh -c 'kill -9 $$'
    fi
  done
fi
exec {python} -m imagegate.cli.main "$@"
"""


class Scheduled(Site):
    """A site with promoted images, and the controller that re-checks them."""

    def __init__(self, directory: Path, server: Postgresql) -> None:
        super().__init__(directory)
        self.inventory.engine.dispose()
        url = server.database()
        self.inventory = Inventory(url, PASSWORD)
        self.faults = directory / "faults"
        self.faults.mkdir()
        self.mirror = directory / "mirror"
        self.settings = {
            "inventory": {"url": url},
            "advisories": {"sources": ["osv/Debian"], "urls": {"osv": str(self.mirror)}},
            "policy": {"bundle": "application"},
        }
        tools = directory / "tools"
        tools.mkdir()
        command = COMMAND.format(agents=directory / "agents", faults=self.faults, python=sys.executable)
        (tools / "imagegate").write_text(command)
        (tools / "imagegate").chmod(0o755)
        environment = agent_environment(
            directory,
            {
                "IMAGEGATE_SITE_CONFIG": str(directory / "site.yaml"),
                "XDG_DATA_HOME": str(directory / "data"),
                "IMAGEGATE_INVENTORY_PASSWORD_CREDENTIALS": "inventory",
            },
        )
        environment["PATH"] = f"{tools}:{environment['PATH']}"
        secrets = {"inventory": {"kind": "string", "secret": PASSWORD}}
        self.controller = Controller(directory / "controller", harness(), environment, secrets)

    def publish(self, *records: dict[str, Any]) -> None:
        """Have the mirror publish these advisories, and no others."""
        file = self.mirror / "Debian" / "all.zip"
        file.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(file, "w") as archive:
            for record in records:
                archive.writestr(f"{record['id']}.json", json.dumps(record))

    def populate(self) -> None:
        """Promote an image for each team, of packages that nothing is known of."""
        self.know(advisory("CVE-2025-0001", "none"))
        packages = [deb(f"package-{number}") for number in range(PACKAGES)]
        for number in range(TEAMS):
            self.promote(f"app-{number}", *packages, digest=f"sha256:{number}", team=f"team-{number}", policy=TEXT)

    def fault(self, words: str) -> None:
        """Have the command killed once, in the call whose request has these words."""
        number = len(list(self.faults.iterdir())) + 1
        (self.faults / f"{number}-{words.replace('/', '-of-')[-12:]}".replace('"', "")).write_text(words)

    def run_job(self, jenkinsfile: Path | str = EXAMPLE, **scenario: Any) -> dict[str, Any]:
        """Run the scheduled job once."""
        self.write()
        return self.controller.run(jenkinsfile, **scenario)


def report(done: dict[str, Any], name: str = "report.json") -> Any:
    """Return the report of a build, from its archive."""
    (file,) = (done["root"] / "archive").rglob(name)
    return json.loads(file.read_text())


def found(document: Any) -> set[tuple[str, str, str, bool]]:
    """Return what a report tells: digest, vulnerability, action, and whether it is from the base."""
    return {
        (
            image["digest"],
            document["changes"][hit["change"]]["vulnerability"],
            hit.get("action", ""),
            hit.get("inherited", False),
        )
        for image in document["images"]
        for hit in image["hits"]
    }
