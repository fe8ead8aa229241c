"""VEX statements: which findings they let through, and that nothing else does."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegate.errors import VexError
from imagegate.model import Action, Distro, Evaluation, Package, PackageType, Severity, Verdict
from imagegate.policy.evaluate import evaluate
from imagegate.settings import PolicySettings
from imagegate.vex.document import load_all
from imagegate.vex.product import ImageName, image_name
from imagegate.vex.statement import Statement
from tests.unit.policies import DIGEST, LODASH, NAME, NOW, bundle, facts, report, rule, vulnerability
from tests.unit.test_policy_waivers import waiver

LIMIT = 10**6
VULNERABLE = rule("vulnerabilities", "package", package_type="all")
FOUND = vulnerability(LODASH, Severity.HIGH, "CVE-2026-1", aliases=("GHSA-1",))
OTHER = "sha256:" + "b" * 64
PURL = f"pkg:oci/app@sha256%3A{DIGEST.removeprefix('sha256:')}?repository_url=elsewhere.example.com/app"
LIBSSL = Package("libssl3", "1:3.0-1", PackageType.DPKG, "pkg:deb/debian/libssl3@1:3.0-1?arch=amd64&distro=debian-12")


def load(tmp_path: Path, *documents: Any) -> tuple[Statement, ...]:
    paths = []
    for number, document in enumerate(documents):
        paths.append(tmp_path / f"vex{number}.json")
        paths[-1].write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    return load_all(paths, LIMIT)


def openvex(*statements: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://vendor.example.com/vex-1",
        "author": "vendor",
        "timestamp": "2026-01-01T00:00:00Z",
        "version": 1,
        "statements": list(statements),
        **keys,
    }


def says(
    *products: dict[str, Any], name: str = "CVE-2026-1", status: str = "not_affected", **keys: Any
) -> dict[str, Any]:
    why = {"justification": "vulnerable_code_not_present"} if status == "not_affected" else {}
    return {
        "vulnerability": {"name": name},
        "products": list(products) or [{"@id": "pkg:npm/lodash"}],
        "status": status,
        **why,
        **keys,
    }


def cyclonedx(*vulnerabilities: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {"timestamp": "2026-01-01T00:00:00Z"},
        "vulnerabilities": list(vulnerabilities),
        **keys,
    }


def analysed(ref: str = "pkg:npm/lodash", state: str = "not_affected", name: str = "CVE-2026-1", **keys: Any) -> Any:
    return {"id": name, "analysis": {"state": state}, "affects": [{"ref": ref, **keys}]}


def decide(*statements: Statement, found: Any = FOUND, waivers: Any = (), policy: Any = None) -> Evaluation:
    known = facts(user="app", packages=(found.package,), report=report(found), distro=Distro("debian", "12"))
    return evaluate(
        policy or bundle(VULNERABLE),
        known,
        tag=NAME,
        settings=PolicySettings(),
        now=NOW,
        waivers=waivers,
        vex=statements,
    )


def kinds(evaluation: Evaluation) -> list[str]:
    return [problem.type for problem in evaluation.problems]


@pytest.mark.parametrize(
    ("product", "holds"),
    [
        ({"@id": "pkg:npm/lodash"}, True),
        ({"@id": "pkg:npm/lodash@4.17.10"}, True),
        ({"identifiers": {"purl": "pkg:npm/lodash@4.17.10"}}, True),
        ({"@id": "pkg:npm/lodash@4.17.11"}, False),
        ({"@id": "pkg:npm/lodash@4.17"}, False),
        ({"@id": "pkg:npm/lodash?arch=amd64"}, False),
        ({"@id": "pkg:npm/underscore"}, False),
        ({"@id": "pkg:pypi/lodash"}, False),
        ({"@id": "pkg:npm/%40x/lodash"}, False),
        ({"@id": PURL}, True),
        ({"@id": PURL.replace("a" * 64, "b" * 64)}, False),
        ({"@id": PURL, "subcomponents": [{"@id": "pkg:npm/lodash"}]}, True),
        ({"@id": PURL, "subcomponents": [{"@id": "pkg:npm/x"}, {"@id": "pkg:npm/lodash@4.17.10"}]}, True),
        ({"@id": PURL, "subcomponents": [{"@id": "pkg:npm/x"}]}, False),
        ({"@id": PURL, "subcomponents": [{"@id": "https://example.com/part"}]}, False),
        ({"@id": f"pkg:oci/app@{OTHER}", "subcomponents": [{"@id": "pkg:npm/lodash"}]}, False),
        ({"@id": "https://example.com/app", "hashes": {"sha-256": DIGEST.removeprefix("sha256:")}}, True),
        ({"@id": PURL, "hashes": {"sha-256": "b" * 64}}, False),
        ({"@id": "pkg:oci/app?repository_url=registry.example.com/team/app"}, True),
        ({"@id": "pkg:oci/app?repository_url=registry.example.com/team/app&tag=1.0"}, True),
        ({"@id": "pkg:oci/app?repository_url=registry.example.com/team/app&tag=2.0"}, False),
        ({"@id": "pkg:oci/app?repository_url=registry.example.com/team"}, False),
        ({"@id": "pkg:oci/app"}, False),
        ({"@id": "pkg:oci/app@1.0?repository_url=registry.example.com/team/app"}, False),
        ({"@id": "pkg:docker/team/app@1.0?repository_url=registry.example.com"}, True),
        ({"@id": "pkg:docker/team/app@2.0?repository_url=registry.example.com"}, False),
        ({"@id": "registry.example.com/team/app"}, True),
        ({"@id": "registry.example.com/team/app:1.0"}, True),
        ({"@id": "registry.example.com/team/app:1.1"}, False),
        ({"@id": f"registry.example.com/team/app@{DIGEST}"}, True),
        ({"@id": f"registry.example.com/team/app@{OTHER}"}, False),
        ({"@id": DIGEST}, True),
        ({"@id": "https://example.com/app"}, False),
        ({"@id": "app"}, False),
        ({"@id": "pkg:npm/shop", "subcomponents": [{"@id": "pkg:npm/lodash"}]}, False),
        ({"@id": "pkg:npm/lodash", "subcomponents": [{"@id": "pkg:npm/x"}]}, False),
        ({}, False),
    ],
)
def test_a_product_is_the_image_or_the_package_that_it_names(
    tmp_path: Path, product: dict[str, Any], holds: bool
) -> None:
    evaluation = decide(*load(tmp_path, openvex(says(product))))
    assert (evaluation.verdict is Verdict.PASS) is holds
    assert bool(evaluation.findings[0].vex) is holds


@pytest.mark.parametrize(
    ("purl", "holds"),
    [
        ("pkg:deb/debian/libssl3", True),
        ("pkg:deb/debian/libssl3@1:3.0-1", True),
        ("pkg:deb/debian/libssl3@3.0-1?epoch=1&arch=amd64&upstream=openssl", True),
        ("pkg:deb/debian/libssl3@3.0-1", False),
        ("pkg:deb/debian/libssl3@1:3.0-1?arch=arm64", False),
        ("pkg:deb/debian/libssl3?distro=debian-11", False),
        ("pkg:deb/ubuntu/libssl3", False),
    ],
)
def test_qualifiers_that_are_given_must_be_the_packages_own(tmp_path: Path, purl: str, holds: bool) -> None:
    found = vulnerability(LIBSSL, Severity.HIGH, "CVE-2026-1")
    assert (decide(*load(tmp_path, openvex(says({"@id": purl}))), found=found).verdict is Verdict.PASS) is holds


def test_python_names_are_one_in_any_spelling(tmp_path: Path) -> None:
    package = Package("Zope_X", "1", PackageType.PYTHON, "pkg:pypi/zope-x@1")
    found = vulnerability(package, Severity.HIGH, "CVE-2026-1")
    assert decide(*load(tmp_path, openvex(says({"@id": "pkg:pypi/zope.x"}))), found=found).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("vulnerability_", "holds"),
    [
        ({"name": "CVE-2026-1"}, True),
        ({"name": "GHSA-1"}, True),
        ({"name": "ghsa-1"}, True),
        ({"name": "VENDOR-1", "aliases": ["CVE-2026-1"]}, True),
        ({"name": "CVE-2026-2"}, False),
        ({"name": "CVE-2026-*"}, False),
    ],
)
def test_a_vulnerability_is_known_by_any_of_its_ids(
    tmp_path: Path, vulnerability_: dict[str, Any], holds: bool
) -> None:
    evaluation = decide(*load(tmp_path, openvex(says() | {"vulnerability": vulnerability_})))
    assert (evaluation.verdict is Verdict.PASS) is holds


@pytest.mark.parametrize(
    ("status", "holds"),
    [("not_affected", True), ("fixed", True), ("affected", False), ("under_investigation", False)],
)
def test_only_two_statuses_let_through(tmp_path: Path, status: str, holds: bool) -> None:
    evaluation = decide(*load(tmp_path, openvex(says(status=status))))
    assert (evaluation.verdict is Verdict.PASS) is holds
    assert kinds(evaluation) == []


def test_who_says_so_and_where_is_told(tmp_path: Path) -> None:
    (finding,) = decide(*load(tmp_path, openvex(says(impact_statement="it is never called")))).findings
    assert finding.action is Action.STOP
    assert finding.allowlisted
    assert finding.allowlisted.allowlist_id == "vex"
    assert finding.allowlisted.allowlist_name == "vendor: not_affected (vulnerable_code_not_present), 2026-01-01"
    assert finding.allowlisted.item_id == f"{tmp_path}/vex0.json: statement 1"
    assert finding.vex
    assert (finding.vex.status, finding.vex.detail) == ("not_affected", "it is never called")
    assert finding.vex.document == "https://vendor.example.com/vex-1"


def test_the_last_statement_holds_wherever_it_stands(tmp_path: Path) -> None:
    early, late = {"timestamp": "2026-02-01T00:00:00Z"}, {"timestamp": "2026-03-01T00:00:00+01:00"}
    no, yes = says(), says(status="affected")
    for documents, verdict in (
        ([openvex(no | early, yes | late)], Verdict.STOP),
        ([openvex(yes | late, no | early)], Verdict.STOP),
        ([openvex(no | late), openvex(yes | early)], Verdict.PASS),
        ([openvex(yes | early), openvex(no | late)], Verdict.PASS),
        ([openvex(no | early, yes | {"last_updated": "2026-04-01T00:00:00Z"})], Verdict.STOP),
        ([openvex(no, yes)], Verdict.STOP),
        ([openvex(yes, no)], Verdict.PASS),
        ([cyclonedx(analysed(state="exploitable")), openvex(no | early)], Verdict.PASS),
    ):
        assert decide(*load(tmp_path, *documents)).verdict is verdict


def test_a_statement_that_is_yet_to_come_lets_nothing_through(tmp_path: Path) -> None:
    later = f"{NOW + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    evaluation = decide(*load(tmp_path, openvex(says(timestamp=later))))
    assert evaluation.verdict is Verdict.STOP
    assert kinds(evaluation) == ["vex_early"]


def test_what_lets_nothing_through_is_told_once_for_each_document(tmp_path: Path) -> None:
    unused = [says(name=f"CVE-2020-{number}") for number in range(7)]
    elsewhere = says({"@id": f"pkg:oci/other@{OTHER}"}, name="CVE-2020-99")
    evaluation = decide(*load(tmp_path, openvex(says(), *unused, elsewhere, says(name="CVE-3", status="affected"))))
    (problem,) = evaluation.problems
    assert (problem.severity, problem.type) == ("warn", "vex_unused")
    assert problem.details.endswith("CVE-2020-0, CVE-2020-1, CVE-2020-2, CVE-2020-3, CVE-2020-4 and 2 more")
    assert evaluation.verdict is Verdict.PASS


def test_a_waiver_and_a_statement_do_not_hinder_each_other(tmp_path: Path) -> None:
    statements = load(tmp_path, openvex(says()))
    evaluation = decide(*statements, waivers=[waiver(cve="CVE-2026-1")])
    assert evaluation.findings[0].vex
    assert kinds(evaluation) == ["waiver_unused"]


def test_no_statement_helps_an_image_that_could_not_be_decided(tmp_path: Path) -> None:
    known = facts(packages=(LODASH,), report=report(FOUND, missing=("npm",)))
    statements = load(tmp_path, openvex(says()))
    found = evaluate(bundle(VULNERABLE), known, tag=NAME, settings=PolicySettings(), now=NOW, vex=statements)
    assert found.verdict is Verdict.UNDECIDED


def test_findings_of_other_gates_are_left_alone(tmp_path: Path) -> None:
    root = rule("dockerfile", "effective_user", users="app", type="blacklist")
    statements = load(tmp_path, openvex(says({"@id": DIGEST})))
    assert decide(*statements, policy=bundle(root)).verdict is Verdict.STOP


@pytest.mark.parametrize(
    ("state", "holds"),
    [
        ("not_affected", True),
        ("resolved", True),
        ("resolved_with_pedigree", True),
        ("false_positive", True),
        ("exploitable", False),
        ("in_triage", False),
    ],
)
def test_cyclonedx_states(tmp_path: Path, state: str, holds: bool) -> None:
    evaluation = decide(*load(tmp_path, cyclonedx(analysed(state=state))))
    assert (evaluation.verdict is Verdict.PASS) is holds


SERIAL = "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79"
LINK = "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1"
IMAGE = {"type": "container", "bom-ref": "image", "name": "registry.example.com/team/app", "version": DIGEST}
STRANGER = {**IMAGE, "version": OTHER}
PART = {"type": "library", "bom-ref": "part", "name": "lodash", "version": "4.17.10", "purl": "pkg:npm/lodash@4.17.10"}


@pytest.mark.parametrize(
    ("ref", "keys", "holds"),
    [
        ("part", {"components": [PART]}, True),
        ("part", {"components": [PART], "metadata": {"component": IMAGE}}, True),
        ("part", {"components": [PART], "metadata": {"component": STRANGER}}, False),
        ("part", {"components": [PART], "metadata": {"component": {"type": "application", "name": "shop"}}}, False),
        ("part", {"components": [IMAGE | {"components": [PART]}]}, True),
        ("part", {"components": [STRANGER | {"components": [PART]}]}, False),
        ("part", {"components": [{"type": "container", "name": "/tmp/x", "components": [PART]}]}, False),
        ("image", {"metadata": {"component": IMAGE}}, True),
        ("image", {"metadata": {"component": STRANGER}}, False),
        ("image", {"components": [IMAGE]}, True),
        ("none", {"components": [PART]}, False),
        ("pkg:npm/lodash@4.17.10", {}, True),
        ("pkg:npm/lodash@4.17.10", {"metadata": {"component": IMAGE}}, True),
        ("pkg:npm/lodash@4.17.10", {"metadata": {"component": STRANGER}}, False),
        ("pkg:npm/lodash@4.17.10?package-id=0123456789abcdef", {}, True),
        (PURL, {}, True),
        ("pkg:oci/app", {}, False),
        (f"{LINK}#part", {"serialNumber": SERIAL, "components": [PART]}, True),
        (f"{LINK}#part", {"serialNumber": SERIAL, "version": 2, "components": [PART]}, False),
        (f"{LINK}#part", {"components": [PART]}, False),
        (f"{LINK}#pkg%3Anpm/lodash@4.17.10", {}, True),
        (LINK, {"serialNumber": SERIAL, "metadata": {"component": IMAGE}}, True),
        (LINK, {"serialNumber": SERIAL, "metadata": {"component": STRANGER}}, False),
        (LINK, {"serialNumber": SERIAL, "components": [PART]}, False),
        (LINK, {}, False),
    ],
)
def test_cyclonedx_references(tmp_path: Path, ref: str, keys: dict[str, Any], holds: bool) -> None:
    metadata = {"metadata": {"timestamp": "2026-01-01T00:00:00Z", **keys.get("metadata", {})}}
    evaluation = decide(*load(tmp_path, cyclonedx(analysed(ref), **{**keys, **metadata})))
    assert (evaluation.verdict is Verdict.PASS) is holds


def test_a_bom_link_is_followed_into_another_document(tmp_path: Path) -> None:
    sbom = cyclonedx(serialNumber=SERIAL, components=[PART], metadata={"component": IMAGE})
    assert decide(*load(tmp_path, cyclonedx(analysed(f"{LINK}#part")), sbom)).verdict is Verdict.PASS
    elsewhere = cyclonedx(serialNumber=SERIAL, components=[PART], metadata={"component": STRANGER})
    assert decide(*load(tmp_path, cyclonedx(analysed(f"{LINK}#part")), elsewhere)).verdict is Verdict.STOP


@pytest.mark.parametrize(
    ("versions", "purl", "holds"),
    [
        ([{"version": "4.17.10", "status": "unaffected"}], "pkg:npm/lodash@4.17.10", True),
        ([{"version": "4.17.10", "status": "unaffected"}], "pkg:npm/lodash", True),
        ([{"version": "4.17.9", "status": "unaffected"}], "pkg:npm/lodash", False),
        ([{"version": "4.17.10"}], "pkg:npm/lodash@4.17.10", False),
        ([{"range": "vers:npm/<5", "status": "unaffected"}], "pkg:npm/lodash", False),
        ([{"range": "vers:npm/<5"}], "pkg:npm/lodash@4.17.10", False),
    ],
)
def test_cyclonedx_versions(tmp_path: Path, versions: list[Any], purl: str, holds: bool) -> None:
    evaluation = decide(*load(tmp_path, cyclonedx(analysed(purl, versions=versions))))
    assert (evaluation.verdict is Verdict.PASS) is holds


def test_cyclonedx_tells_its_reasons_in_openvex_words(tmp_path: Path) -> None:
    stated = analysed() | {"references": [{"id": "GHSA-1"}], "id": "X-1"}
    stated["analysis"] |= {
        "justification": "requires_configuration",
        "detail": "off",
        "lastUpdated": "2026-02-01T00:00:00Z",
    }
    metadata = {"timestamp": "2026-01-01T00:00:00Z", "authors": [{"name": "Ann"}]}
    (finding,) = decide(*load(tmp_path, cyclonedx(stated, metadata=metadata))).findings
    assert finding.vex
    assert (finding.vex.author, finding.vex.justification) == ("Ann", "")
    assert finding.vex.detail == "requires_configuration: off"
    assert finding.vex.at == datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON, or cut"),
        (b"<csaf/>", "is XML"),
        (b"[]", "not valid"),
        (b"{}", "no VEX document"),
        (b'{"document": {"csaf_version": "2.0"}}', "is CSAF"),
        (json.dumps(openvex(says())).encode()[:-5], "no JSON, or cut"),
        (openvex(**{"@context": "https://openvex.dev/ns"}), "version that is not read"),
        (openvex(says(status="nope")), "nope"),
        (openvex(says(status="not_affected") | {"justification": ""}), "needs a justification"),
        (openvex(says(justification="because")), "'because' is no justification"),
        (openvex(says(name="")), "it names no vulnerability"),
        (openvex(says(timestamp="yesterday")), "'yesterday' is no time"),
        (openvex({"vulnerability": "CVE-1", "status": "fixed"}), "Expected `object`"),
        (openvex({"status": "fixed"}), "vulnerability"),
        (openvex(says() | {"products": ["pkg:npm/x"]}), "Expected `object`"),
        (openvex(timestamp=None), "Expected `str`"),
        (cyclonedx(specVersion="0.9"), "are read"),
        (cyclonedx(analysed(state="fine")), "'fine' is no state"),
        (cyclonedx(analysed(name="")), "it has no id"),
        (cyclonedx(analysed("part"), components=[PART, PART]), "stands twice"),
        (cyclonedx(vulnerabilities={}), "Expected `array`"),
        (b"{" + b" " * (LIMIT + 1), "larger than"),
        (b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": '
         + b'[{"name": "a", "components": ' * 20000, "nested too deeply|no JSON"),
    ],
)  # fmt: skip
def test_a_document_with_mistakes_is_an_error_that_says_where(tmp_path: Path, document: Any, told: str) -> None:
    with pytest.raises(VexError, match=told):
        load(tmp_path, document)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(VexError) as caught:
        load(tmp_path, openvex(says(name=""), says(justification="x"), says()))
    assert "statement 1: it names no vulnerability" in str(caught.value)
    assert "statement 2: 'x' is no justification" in str(caught.value)


def test_vulnerabilities_of_an_sbom_that_say_nothing_are_no_statements(tmp_path: Path) -> None:
    assert load(tmp_path, cyclonedx({"id": "CVE-2026-1", "affects": [{"ref": "pkg:npm/lodash"}]})) == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("debian", ImageName("", "docker.io/library/debian")),
        ("debian:12", ImageName("", "docker.io/library/debian", "12")),
        ("pkg:docker/debian@12", ImageName("", "docker.io/library/debian", "12")),
        ("urn:uuid:x", None),
        ("sbom:file", None),
        ("oci:dir", None),
        ("", None),
        ("Upper Case", None),
        ("pkg:npm/x", None),
        ("pkg:", None),
    ],
)
def test_names_of_images(text: str, expected: ImageName | None) -> None:
    assert image_name(text) == expected


WORDS = st.sampled_from(
    ["CVE-2026-1", "GHSA-1", "pkg:npm/lodash", "pkg:npm/lodash@4", PURL, DIGEST, "part", LINK, f"{LINK}#part", "x", ""]
)
STATEMENTS = st.builds(
    lambda name, product, status: says({"@id": product}, name=name or "N", status=status),
    WORDS,
    WORDS,
    st.sampled_from(["affected", "under_investigation"]),
)


@given(st.lists(STATEMENTS, max_size=5))
def test_statements_that_suppress_nothing_never_change_a_verdict(
    tmp_path_factory: pytest.TempPathFactory, statements: list[Any]
) -> None:
    place = tmp_path_factory.getbasetemp()
    evaluation = decide(*load(place, openvex(*statements)))
    assert evaluation.findings == decide().findings
    assert evaluation.verdict is Verdict.STOP


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["@id", "vulnerability", "name", "products", "status", "id", "analysis", "state", "affects", "ref",
             "components", "bom-ref", "purl", "type", "metadata", "component", "versions", "timestamp"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@given(JSON, st.sampled_from(["statements", "vulnerabilities", "components", "metadata"]))
def test_any_document_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, inner: Any, key: str) -> None:
    place = tmp_path_factory.getbasetemp()
    for frame in (openvex(says()), cyclonedx(analysed())):
        with suppress(VexError):
            load(place, {**frame, key: inner})
