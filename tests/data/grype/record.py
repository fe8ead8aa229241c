"""Record what a real grype writes: `python -m tests.data.grype.record GRYPE`, in the repository's root.

The database is made of the demo's advisories by `lab.grypedb`; the packages are those below. Of the document only
grype's own configuration, the path of its database, and all but one of the matches that it ignored are taken out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from imagegate.model import Distro, Package, PackageType
from imagegate.vulnerability.grype_sbom import sbom
from lab.grypedb import read, write

HERE = Path(__file__).parent
BUILT = datetime(2026, 11, 23, 6, tzinfo=UTC)
CAPTURED = datetime(2026, 11, 22, 18, tzinfo=UTC)
DISTRO = Distro("debian", "12", name="Debian GNU/Linux", codename="bookworm")
PACKAGES = (
    Package("urllib3", "1.26.4", PackageType.PYTHON, "pkg:pypi/urllib3@1.26.4"),
    Package("moment", "2.29.1", PackageType.NPM, "pkg:npm/moment@2.29.1"),
    Package("libcap2", "1:2.66-3", PackageType.DPKG, "", source="libcap2"),
    Package("libexpat1", "2.5.0-1", PackageType.DPKG, "", source="expat"),
    Package("linux-libc-dev", "6.1.1-1", PackageType.DPKG, "", source="linux"),
    Package("node", "18.0.0", PackageType.BINARY, "pkg:generic/node@18.0.0"),
)
SETTINGS = {
    "GRYPE_CHECK_FOR_APP_UPDATE": "false",
    "GRYPE_DB_AUTO_UPDATE": "false",
    "GRYPE_DB_VALIDATE_AGE": "false",
}


def database(file: Path) -> None:
    """Write the database of the recording."""
    records = [record for part in (HERE.parents[2] / "demo" / "advisories").glob("*.json") for record in read(part)]
    scores = {"CVE-2023-43804": (0.011, 0.78), "CVE-2022-24785": (0.034, 0.9)}
    write(file, records, built=BUILT, captured=CAPTURED, exploited=["CVE-2022-24785"], scores=scores)


def main(grype: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        database(home / "made.db")
        environment = {**os.environ, **SETTINGS, "GRYPE_DB_CACHE_DIR": str(home / "cache"), "HOME": name}
        subprocess.run([grype, "db", "import", "--quiet", str(home / "made.db")], env=environment, check=True)
        (home / "packages.json").write_bytes(sbom(PACKAGES, DISTRO))
        command = [grype, "--quiet", "--add-cpes-if-none", "--output", "json", f"sbom:{home}/packages.json"]
        raw = subprocess.run(command, env=environment, check=True, capture_output=True, cwd=home).stdout
    document = json.loads(raw)
    del document["descriptor"]["configuration"], document["descriptor"]["db"]["status"]["path"]
    del document["ignoredMatches"][1:]
    (HERE / "scan.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
