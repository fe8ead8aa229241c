"""VEX out: what a promoted image's vulnerabilities are said to mean, valid and read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from imagegate.model import Digest, Evaluation, Package, PackageType, Severity, Verdict, Vulnerability
from imagegate.policy.evaluate import evaluate
from imagegate.policy.facts import Facts
from imagegate.report import FORMATS
from imagegate.report.context import Context
from imagegate.settings import PolicySettings
from imagegate.vex.document import load_all
from imagegate.vex.openvex import JUSTIFICATIONS
from imagegate.vex.statement import Status
from tests.unit.policies import DIGEST, LODASH, NAME, NOW, OPENSSL, bundle, facts, report, rule, vulnerability
from tests.unit.test_policy_waivers import waiver
from tests.unit.test_sbom_write import validate_cyclonedx
from tests.unit.test_vex import load, openvex, says

GRAVE = rule("vulnerabilities", "package", package_type="all", severity="high", severity_comparison=">=")
UNNAMED = Package("tool", "1", PackageType.BINARY, "", "/bin/tool")
LIVE = vulnerability(OPENSSL, Severity.CRITICAL, "CVE-2026-1", aliases=("GHSA-1",), fix="3.0.12")
WAIVED = vulnerability(LODASH, Severity.HIGH, "CVE-2026-2")
STATED = vulnerability(LODASH, Severity.HIGH, "CVE-2026-3")
MILD = vulnerability(UNNAMED, Severity.LOW, "CVE-2026-4")
FOUND = (LIVE, WAIVED, STATED, MILD)
FORMS = ("openvex", "cyclonedx-vex")


def at_digest(known: Facts, digest: str) -> Facts:
    analysis = msgspec.structs.replace(known.analysis, digest=Digest(digest))
    return msgspec.structs.replace(known, analysis=analysis)


def evaluated(
    tmp_path: Path, *more: Any, tag: str = NAME, digest: str = DIGEST, found: tuple[Vulnerability, ...] = FOUND
) -> Evaluation:
    known = at_digest(facts(packages=(LODASH, OPENSSL, UNNAMED), report=report(*found)), digest)
    statements = load(tmp_path, openvex(says(name="CVE-2026-3", impact_statement="never called"), *more))
    waivers = [waiver(cve="CVE-2026-2")]
    settings = PolicySettings()
    return evaluate(bundle(GRAVE), known, tag=tag, settings=settings, now=NOW, waivers=waivers, vex=statements)


def context(*evaluations: Evaluation, found: tuple[Vulnerability, ...] = FOUND) -> Context:
    return Context(vulnerabilities={each.digest: found for each in evaluations})


def rendered(form: str, *evaluations: Evaluation) -> Any:
    return json.loads(FORMATS[form](evaluations, context(*evaluations)))


def validate_openvex(document: Any) -> None:
    """By what the specification demands, its JSON schema among it. (OpenVEX 0.2.0.)"""
    assert document.keys() >= {"@context", "@id", "author", "timestamp", "version", "statements"}
    assert document.keys() <= {"@context", "@id", "author", "timestamp", "version", "statements", "tooling"}
    for statement in document["statements"]:
        assert statement["vulnerability"]["name"]
        assert statement["status"] in list(Status)
        reasons = statement.keys() & {"justification", "impact_statement"}
        assert len(reasons) == (statement["status"] == "not_affected")
        assert statement.get("justification", JUSTIFICATIONS[0]) in JUSTIFICATIONS
        assert ("action_statement" in statement) is (statement["status"] == "affected")
        for product in statement["products"]:
            assert product.keys() <= {"@id", "identifiers", "hashes", "subcomponents"}
            assert product["@id"].startswith("pkg:oci/")
            assert all(each["@id"].startswith("pkg:") for each in product["subcomponents"])


def test_openvex_says_of_each_vulnerability_what_it_means(tmp_path: Path) -> None:
    document = rendered("openvex", evaluated(tmp_path))
    validate_openvex(document)
    by_name = {each["vulnerability"]["name"]: each for each in document["statements"]}
    assert {name: each["status"] for name, each in by_name.items()} == {
        "CVE-2026-1": "affected",
        "CVE-2026-2": "affected",
        "CVE-2026-3": "not_affected",
        "CVE-2026-4": "under_investigation",
    }
    assert "Update openssl 3.0.11 to 3.0.12" in by_name["CVE-2026-1"]["action_statement"]
    assert by_name["CVE-2026-1"]["vulnerability"]["aliases"] == ["GHSA-1"]
    assert by_name["CVE-2026-2"]["action_statement"].startswith("Accepted by me: because, until 2027")
    stated = by_name["CVE-2026-3"]
    assert stated["justification"] == "vulnerable_code_not_present"
    assert stated["status_notes"] == "Stated by vendor in https://vendor.example.com/vex-1. never called"
    assert stated["timestamp"] == "2026-01-01T00:00:00Z"
    (product,) = stated["products"]
    assert product["hashes"] == {"sha-256": DIGEST.removeprefix("sha256:")}
    assert product["subcomponents"] == [{"@id": "pkg:npm/lodash@4.17.10"}]
    assert "repository_url=registry.example.com/team/app" in product["@id"]
    assert by_name["CVE-2026-4"]["products"][0]["subcomponents"] == [{"@id": "pkg:generic/tool@1"}]


def test_cyclonedx_says_the_same(tmp_path: Path) -> None:
    document = rendered("cyclonedx-vex", evaluated(tmp_path))
    validate_cyclonedx(document)
    by_name = {each["id"]: each for each in document["vulnerabilities"]}
    assert {name: each["analysis"]["state"] for name, each in by_name.items()} == {
        "CVE-2026-1": "exploitable",
        "CVE-2026-2": "exploitable",
        "CVE-2026-3": "not_affected",
        "CVE-2026-4": "in_triage",
    }
    assert by_name["CVE-2026-1"]["analysis"]["response"] == ["update"]
    assert "response" not in by_name["CVE-2026-2"]["analysis"]
    assert by_name["CVE-2026-3"]["analysis"]["justification"] == "code_not_present"
    refs = {each["bom-ref"] for each in document["components"]}
    assert {each["ref"] for stated in by_name.values() for each in stated["affects"]} == refs
    assert document["metadata"]["component"]["version"] == DIGEST


@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_suppresses_what_was_suppressed_and_no_more(tmp_path: Path, form: str) -> None:
    (tmp_path / "out.json").write_text(json.dumps(rendered(form, evaluated(tmp_path))))
    statements = load_all([tmp_path / "out.json"], 10**6)
    assert len(statements) == 4
    known = facts(packages=(LODASH, OPENSSL, UNNAMED), report=report(*FOUND))
    again = evaluate(bundle(GRAVE), known, tag=NAME, settings=PolicySettings(), now=NOW, vex=statements)
    let_through = {each.vulnerability for each in again.findings if each.vex}
    assert let_through == {"CVE-2026-3"}
    assert again.verdict is Verdict.STOP
    other = at_digest(facts(packages=(LODASH,), report=report(STATED)), "sha256:" + "d" * 64)
    found = evaluate(bundle(GRAVE), other, tag=NAME, settings=PolicySettings(), now=NOW, vex=statements)
    assert found.verdict is Verdict.STOP


@pytest.mark.parametrize("form", FORMS)
def test_several_images_are_told_apart(tmp_path: Path, form: str) -> None:
    one, two = evaluated(tmp_path), evaluated(tmp_path, digest="sha256:" + "b" * 64)
    document = rendered(form, one, two)
    validate_openvex(document) if form == "openvex" else validate_cyclonedx(document)
    assert len(document.get("statements") or document["vulnerabilities"]) == 8
    (tmp_path / "out.json").write_text(json.dumps(document))
    statements = load_all([tmp_path / "out.json"], 10**6)
    digests = {product.image.digest for each in statements for product in each.products if product.image}
    assert digests == {one.digest, two.digest}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_image_under_two_names_is_told_of_each(tmp_path: Path, form: str) -> None:
    document = rendered(form, evaluated(tmp_path), evaluated(tmp_path))
    assert len(document.get("statements") or document["vulnerabilities"]) == 4
    assert document == rendered(form, evaluated(tmp_path))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("tag", ["app", "x:", ":1", "r.example.com:5000/app", " "])
def test_an_image_of_any_name_is_told(tmp_path: Path, form: str, tag: str) -> None:
    document = rendered(form, evaluated(tmp_path, tag=tag))
    if form == "openvex":
        validate_openvex(document)


@pytest.mark.parametrize("form", FORMS)
def test_an_image_without_vulnerabilities_has_a_document_without_statements(tmp_path: Path, form: str) -> None:
    evaluation = evaluated(tmp_path, found=())
    document = json.loads(FORMATS[form]([evaluation], Context()))
    assert (document.get("statements") or document.get("vulnerabilities") or []) == []
    assert json.loads(FORMATS[form]([], Context()))
