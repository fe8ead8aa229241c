"""SBOMs in and out by the command, beside the image and beside what syft writes of it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from imagegate.analysis import syft
from imagegate.cli.main import run
from imagegate.model import Package, SbomRef
from imagegate.sbom.document import load
from tests.integration.test_analysis_syft import APK, maven
from tests.layers import file, image, tar, write_layout
from tests.unit.policies import document, rule
from tests.unit.test_sbom_write import validate_cyclonedx, validate_spdx
from tests.unit.test_vex import analysed as stated
from tests.unit.test_vex import cyclonedx, openvex, says
from tests.unit.test_vulnerability_match import record

STATUS = (
    "Package: libssl3\nStatus: install ok installed\nVersion: 1:3.0.11-1\nSource: openssl (3.0.11-1)\n"
    "Architecture: amd64\n\n"
    "Package: zlib1g\nStatus: install ok installed\nVersion: 1.2\nArchitecture: amd64\n"
)
GEM = 'Gem::Specification.new do |s|\n  s.name = "rack"\n  s.version = "2.0"\nend\n'
DEBIAN = (
    file("etc/os-release", 'ID=debian\nVERSION_ID="12"\nNAME="Debian GNU/Linux"\nVERSION_CODENAME=bookworm\n'),
    file("var/lib/dpkg/status", STATUS),
)
ALPINE = (file("lib/apk/db/installed", APK), file("etc/os-release", "ID=alpine\nVERSION_ID=3.19.1\n"))
APPLICATION = (
    file("app/a.jar", maven("org.x", "a", "1")),
    file("usr/lib/ruby/specifications/rack-2.0.gemspec", GEM),
    file("app/node_modules/@s/n/package.json", '{"name":"@s/n","version":"1.0.0","license":"MIT"}'),
    file("s/zope_x-1.dist-info/METADATA", "Name: zope-x\nVersion: 1\nLicense: MIT License\n"),
)
RECORDS = [
    record("DSA-1", "Debian:12", "openssl", "3.0.12-1", upstream=["CVE-2026-1001"]),
    record("CVE-2026-1002", "Alpine:v3.19", "musl-src", "9"),
    record("CVE-2026-1003", "npm", "@s/n"),
    record("CVE-2026-1004", "Maven", "org.x:a"),
    record("CVE-2026-1005", "RubyGems", "rack", "3.0"),
    record("CVE-2026-1006", "PyPI", "zope-x"),
]
VULNERABLE = document(rule("vulnerabilities", "package", package_type="all"))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with an advisory database and a policy, where the command runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMAGEGATE_CACHE_DIRECTORY", str(tmp_path / "cache"))
    (tmp_path / "records.json").write_text(json.dumps(RECORDS))
    (tmp_path / "policy.json").write_text(json.dumps(VULNERABLE))
    assert run(["db", "import", "records.json", "--quiet"]) == 0
    return tmp_path


def layout(place: Path, *layers: bytes) -> str:
    write_layout(place / "image", *image(*layers))
    return "oci:image"


def findings(reference: str, *options: str) -> tuple[int, set[tuple[str, str, str]], list[dict[str, Any]]]:
    """Check, and return the exit code, the findings and the problems."""
    code = run(["check", reference, "--policy", "policy.json", "--output", "json=report.json", "--quiet", *options])
    (evaluation,) = json.loads(Path("report.json").read_text())["evaluations"]
    found = {(each["trigger_id"], each["message"], str(each.get("vulnerability"))) for each in evaluation["findings"]}
    return code, found, evaluation.get("problems", [])


def by_syft(place: Path, form: str) -> Path:
    command = [str(syft._executable()), "scan", f"oci-dir:{place / 'image'}", "--quiet", "--output", form]
    environment = {**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false"}
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    (place / "syft.json").write_bytes(done.stdout)
    return place / "syft.json"


def comparable(packages: list[Package] | tuple[Package, ...]) -> set[tuple[str, ...]]:
    return {
        (each.type.value, each.type.canonical(each.name), each.version, each.path, each.source, each.source_version)
        for each in packages
    }


@pytest.mark.parametrize("distro", [DEBIAN, ALPINE], ids=["debian", "alpine"])
@pytest.mark.parametrize("form", ["cyclonedx", "spdx"])
def test_what_is_written_of_an_image_has_the_images_findings(site: Path, form: str, distro: Any) -> None:
    reference = layout(site, tar(*distro), tar(*APPLICATION))
    assert run(["analyze", reference, "--output", f"{form}=sbom.json", "--quiet"]) == 0
    code, found, problems = findings(reference)
    assert (code, len(found), problems) == (1, 5, [])
    sbom_code, sbom_found, sbom_problems = findings("sbom:sbom.json")
    assert (sbom_code, sbom_found) == (code, found)
    assert [each["severity"] for each in sbom_problems] == ["warn"]
    if form == "cyclonedx":
        validate_cyclonedx(json.loads((site / "sbom.json").read_text()))
    else:
        validate_spdx(site, (site / "sbom.json").read_text())


@pytest.mark.parametrize("distro", [DEBIAN, ALPINE], ids=["debian", "alpine"])
@pytest.mark.parametrize("form", ["cyclonedx-json", "cyclonedx-json@1.4", "spdx-json", "spdx-json@2.2", "json"])
def test_what_syft_writes_names_the_images_packages(site: Path, form: str, distro: Any) -> None:
    reference = layout(site, tar(*distro), tar(*APPLICATION))
    theirs = load(SbomRef(str(by_syft(site, form))), 10**7)
    assert run(["analyze", reference, "--output", "cyclonedx=own.json", "--quiet"]) == 0
    ours = load(SbomRef("own.json"), 10**7)
    assert comparable(theirs.analysis.packages) == comparable(ours.analysis.packages)
    assert theirs.analysis.digest == ours.analysis.digest
    assert [each.severity for each in theirs.problems] == ["warn"]
    assert findings("sbom:syft.json")[1] == findings(reference)[1]


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        (rule("dockerfile", "effective_user", users="root", type="blacklist"), "dockerfile/effective_user"),
        (rule("files", "suid_or_guid_set"), "files/suid_or_guid_set"),
        (rule("secret_scans", "content_regex_checks"), "secret_scans/content_regex_checks"),
        (rule("malware", "scans"), "malware/scans"),
        (rule("base_image", "not_signed"), "base_image/not_signed"),
        (rule("passwd_file", "content_not_available"), "passwd_file/content_not_available"),
        (rule("packages", "verify"), "packages/verify"),
        (rule("metadata", "attribute", attribute="size", check=">", value="1"), "metadata/attribute"),
        (rule("metadata", "attribute", attribute="distro", check="=", value="alpine"), ""),
        (rule("packages", "blacklist", name="telnetd"), ""),
        (rule("licenses", "blacklist_exact_match", licenses="AGPL-3.0"), ""),
    ],
)
def test_what_only_the_image_tells_is_left_undecided(site: Path, asked: Any, what: str) -> None:
    (site / "policy.json").write_text(json.dumps(document(asked)))
    assert run(["analyze", layout(site, tar(*DEBIAN, *APPLICATION)), "-o", "spdx=sbom.json", "--quiet"]) == 0
    code, found, problems = findings("sbom:sbom.json")
    assert (code, found) == (2 if what else 0, set())
    told = [each["details"] for each in problems if each["severity"] == "error"]
    assert len(told) == bool(what)
    assert not what or told[0].startswith(f"what {what} asks (")


def test_an_sbom_cannot_be_promoted_or_listed(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "sbom.json").write_text("{}")
    promotion = ["--to", "r.example.com/app", "--tag", "1", "--dry-run", "--policy", "policy.json"]
    for arguments in (["gate", "sbom:sbom.json", *promotion], ["analyze", "sbom:sbom.json"]):
        assert run(arguments) == 2
        assert "sbom:sbom.json is no image" in capsys.readouterr().err
    assert run(["check", "sbom:sbom.json", "--policy", "policy.json"]) == 2
    assert "sbom.json is no SBOM" in capsys.readouterr().err


def test_the_same_moment_gives_the_same_sbom(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = layout(site, tar(*DEBIAN))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert run(["analyze", reference, "-o", "cyclonedx", "-o", "spdx=b.json", "--quiet"]) == 0
    first = capsys.readouterr().out
    assert json.loads(first)["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
    assert run(["analyze", reference, "-o", "cyclonedx=a.json", "--quiet"]) == 0
    assert (site / "a.json").read_text() == first
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "soon")
    assert run(["analyze", reference, "-o", "cyclonedx=a.json", "--quiet"]) == 2
    for wrong in (["-o", "cyclone=x"], ["-o", "spdx="], ["-o", "spdx", "-o", "cyclonedx"], ["--json", "-o", "spdx"]):
        assert run(["analyze", reference, *wrong]) == 2


@pytest.mark.parametrize("form", ["openvex", "cyclonedx"])
def test_vex_in_and_out(site: Path, form: str) -> None:
    reference = layout(site, tar(*DEBIAN), tar(*APPLICATION))
    documents = {
        "openvex": openvex(says({"@id": "pkg:npm/%40s/n"}, name="CVE-2026-1003")),
        "cyclonedx": cyclonedx(stated("pkg:npm/%40s/n@1.0.0", name="CVE-2026-1003")),
    }
    (site / "vex.json").write_text(json.dumps(documents[form]))
    out = {"openvex": "openvex", "cyclonedx": "cyclonedx-vex"}[form]
    code, found, problems = findings(reference, "--vex", "vex.json", "--output", f"{out}=out.json")
    report = json.loads(Path("report.json").read_text())
    (suppressed,) = [each for each in report["evaluations"][0]["findings"] if each.get("allowlisted")]
    assert (code, len(found), problems) == (1, 5, [])
    assert suppressed["vulnerability"] == "CVE-2026-1003"
    assert suppressed["vex"]["place"].startswith(str(Path("vex.json")))
    assert report["summary"][0]["counts"]["allowlisted"] == 1
    findings(reference, "--vex", "out.json")
    again = json.loads(Path("report.json").read_text())["evaluations"][0]["findings"]
    assert [each["vulnerability"] for each in again if each.get("allowlisted")] == ["CVE-2026-1003"]


def test_a_project_names_vex_only_where_the_site_allows_it(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = layout(site, tar(*DEBIAN))
    (site / "vex.json").write_text(json.dumps(openvex(says({"@id": "pkg:deb/debian/libssl3"}, name="CVE-2026-1001"))))
    (site / "imagegate.yaml").write_text("policy:\n  vex: [vex.json]\n")
    assert run(["check", reference, "--policy", "policy.json"]) == 2
    assert "policy.vex" in capsys.readouterr().err
    monkeypatch.setenv("IMAGEGATE_SITE_CONFIG", str(site / "site.yaml"))
    (site / "site.yaml").write_text("policy:\n  project_vex: true\n")
    assert run(["check", reference, "--policy", "policy.json"]) == 0
    (site / "imagegate.yaml").unlink()
    (site / "site.yaml").write_text("policy:\n  vex: []\nlock: [policy.vex]\n")
    assert run(["check", reference, "--policy", "policy.json", "--vex", "vex.json"]) == 2
